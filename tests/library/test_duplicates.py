from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from audio_makers import encoded
from library_makers import make_song, pretend, tag, tune

from genrescope.library import duplicates
from genrescope.library.catalogue import Catalogue
from genrescope.library.duplicates import find_duplicates
from genrescope.library.judge import judge
from genrescope.library.scan import scan
from genrescope.library.vectors import load_vectors
from genrescope.model.bundle import Bundle


@pytest.fixture
def bundle(tiny_bundle: Path) -> Bundle:
    return Bundle.load(tiny_bundle)


def _found(catalogue: Catalogue, bundle: Bundle, **more: bool) -> list[tuple[str, set[str]]]:
    number = catalogue.bundle_id(bundle)
    vectors = load_vectors(catalogue, number, bundle.labels)
    return [
        (group.kind, {Path(song.path).name for song in group.songs})
        for group in find_duplicates(catalogue, number, vectors, **more)
    ]


@pytest.mark.slow
def test_copies_and_other_encodings_are_found(
    catalogue: Catalogue, music: Path, bundle: Bundle
) -> None:
    first = make_song(music / "1.flac", seconds=4)
    shutil.copy(first, music / "copy.flac")
    tag(music / "copy.flac", title="Another title")
    (music / "hard.flac").hardlink_to(first)
    (music / "soft.flac").symlink_to(first)
    (music / "n.flac").write_bytes(encoded("flac", tune(1), 22_050))
    (music / "n.mp3").write_bytes(encoded("mp3", tune(1), 22_050))
    (music / "other.flac").write_bytes(encoded("flac", tune(2), 22_050))
    scan(catalogue, [music])
    judge(catalogue, bundle)
    assert _found(catalogue, bundle) == [
        ("copies", {"1.flac", "copy.flac", "hard.flac"}),
        ("same sound", {"n.flac", "n.mp3"}),
    ]


@pytest.mark.slow
def test_embeddings_alone_decide_nothing(catalogue: Catalogue, music: Path, bundle: Bundle) -> None:
    for i in range(4):
        (music / f"{i}.flac").write_bytes(encoded("flac", tune(i), 22_050))
    scan(catalogue, [music])
    for i in range(4):  # the same for all
        pretend(catalogue, bundle, f"{i}.flac", {"jazz": 1.0})
    assert _found(catalogue, bundle) == []


@pytest.mark.slow
def test_versions_are_suggested_on_request_only(
    catalogue: Catalogue, music: Path, bundle: Bundle
) -> None:
    make_song(music / "1.flac", seed=1, artist="Ann", title="Song")
    make_song(music / "2.flac", seed=2, artist="Ann", title="Song (live)")
    make_song(music / "3.flac", seed=3, artist="Bob", title="Song")
    scan(catalogue, [music])
    judge(catalogue, bundle)
    assert _found(catalogue, bundle) == []
    assert _found(catalogue, bundle, versions=True) == [("versions?", {"1.flac", "2.flac"})]


@pytest.mark.slow
def test_a_fingerprint_is_computed_once(
    catalogue: Catalogue, music: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    (music / "n.flac").write_bytes(encoded("flac", tune(1), 22_050))
    (music / "n.mp3").write_bytes(encoded("mp3", tune(1), 22_050))
    scan(catalogue, [music])
    judge(catalogue, bundle)
    first = _found(catalogue, bundle)
    monkeypatch.setattr(duplicates.Fingerprints, "of", None)
    assert _found(catalogue, bundle) == first != []


@pytest.mark.slow
def test_files_that_moved_meanwhile_are_like_nothing(
    catalogue: Catalogue, music: Path, bundle: Bundle
) -> None:
    (music / "n.flac").write_bytes(encoded("flac", tune(1), 22_050))
    (music / "n.mp3").write_bytes(encoded("mp3", tune(1), 22_050))
    scan(catalogue, [music])
    judge(catalogue, bundle)
    (music / "n.mp3").unlink()
    assert _found(catalogue, bundle) == []
