from __future__ import annotations

from pathlib import Path

import pytest
from library_makers import make_song, pretend

from genrescope.library.catalogue import Catalogue
from genrescope.library.scan import scan
from genrescope.library.songs import by_ids, by_path, songs, tags_of
from genrescope.model.bundle import Bundle


def test_a_song_is_found_by_any_way_to_it(
    catalogue: Catalogue, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_song(music / "a.flac", title="T")
    (tmp_path / "link").symlink_to(music)
    scan(catalogue, [music])
    monkeypatch.chdir(music)
    for path in ("a.flac", str(music / "a.flac"), str(tmp_path / "link" / "a.flac")):
        song = by_path(catalogue, None, path)
        assert song is not None
        assert song.title == "T"
    assert by_path(catalogue, None, "b.flac") is None
    assert tags_of(catalogue, song.id) == (("TITLE", "T"),)


def test_a_song_below_a_link_is_found_by_the_link(
    catalogue: Catalogue, music: Path, tmp_path: Path
) -> None:
    make_song(tmp_path / "elsewhere" / "a.flac")
    (music / "link").symlink_to(tmp_path / "elsewhere")
    scan(catalogue, [music])
    (song,) = songs(catalogue, None)
    assert by_path(catalogue, None, song.path) == song


def test_songs_come_in_the_order_asked_for(catalogue: Catalogue, music: Path) -> None:
    for name in "abc":
        make_song(music / f"{name}.flac")
    scan(catalogue, [music])
    ids = [song.id for song in songs(catalogue, None)]
    assert [song.id for song in by_ids(catalogue, None, ids[::-1])] == ids[::-1]


def test_each_bundle_has_its_own_say(catalogue: Catalogue, music: Path, tiny_bundle: Path) -> None:
    bundle = Bundle.load(tiny_bundle)
    make_song(music / "a.flac")
    scan(catalogue, [music])
    pretend(catalogue, bundle, "a.flac", {"jazz": 1.0})
    (judged,) = songs(catalogue, catalogue.bundle_id(bundle))
    (unknown,) = songs(catalogue, catalogue.bundle_id(bundle) + 1)
    assert (judged.sound, judged.is_judged) == ("jazz", True)
    assert (unknown.sound, unknown.is_judged) == (None, False)


def test_whoever_performs_is_counted(catalogue: Catalogue, music: Path) -> None:
    make_song(music / "a.flac", artist="ANN")
    make_song(music / "b.flac")
    scan(catalogue, [music])
    first, second = songs(catalogue, None)
    assert first.performer == "ann"
    assert second.performer == f"?{second.id}"
