from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from library_makers import make_song, pretend

from genrescope.library import vectors as module
from genrescope.library.catalogue import Catalogue
from genrescope.library.scan import scan
from genrescope.library.vectors import crowd_of, joined, load_vectors, work_key
from genrescope.model.bundle import Bundle


@pytest.mark.parametrize(
    ("title", "same"),
    [
        ("Autumn Leaves (Live in Oslo)", True),
        ("Autumn Leaves [Remastered 2009]", True),
        ("autumn leaves - Take 2", True),
        ("Autumn Rain", False),
        ("(Autumn)", False),
    ],
)
def test_versions_share_a_work(title: str, same: bool) -> None:
    assert (work_key("chet", title) == work_key("chet", "Autumn Leaves")) is same
    assert work_key("bill", title) != work_key("chet", "Autumn Leaves")


def test_no_title_is_no_work() -> None:
    assert work_key("chet", None) is None
    assert work_key("chet", " ") is None


def test_a_hub_is_crowded() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 16))
    rows[0] = rows[1:].mean(axis=0) * 20
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[1:50] = rows[1:50] + rows[0] * 2
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    crowd = crowd_of(rows.astype(np.float32))
    assert crowd[0] > np.median(crowd[50:])
    assert crowd.max() <= 1.0  # none is its own neighbour


def test_music_is_there_once_and_what_is_none_is_not(
    catalogue: Catalogue, music: Path, tiny_bundle: Path
) -> None:
    bundle = Bundle.load(tiny_bundle)
    for name in ("a", "copy", "speech", "silent", "unjudged", "long"):
        make_song(music / f"{name}.flac", artist=name, title="T")
    (music / "link.flac").symlink_to(music / "a.flac")
    scan(catalogue, [music])
    pretend(catalogue, bundle, "a.flac", {"jazz": 0.75, "pop": 0.25})
    pretend(catalogue, bundle, "speech.flac", {"jazz": 1.0}, flags=("no music",))
    pretend(catalogue, bundle, "silent.flac", {"jazz": 1.0}, flags=("silent",))
    pretend(catalogue, bundle, "long.flac", {"jazz": 1.0})
    catalogue.db.execute("UPDATE file SET kind = 'long' WHERE name = CAST('long.flac' AS BLOB)")
    catalogue.db.execute(
        "UPDATE file SET audio = (SELECT audio FROM file WHERE name = CAST('a.flac' AS BLOB)) "
        "WHERE name IN (CAST('copy.flac' AS BLOB), CAST('link.flac' AS BLOB))"
    )
    loaded = load_vectors(catalogue, catalogue.bundle_id(bundle), bundle.labels)
    assert len(loaded) == 1
    assert bundle.labels[loaded.label[0]] == "jazz"
    assert np.linalg.norm(loaded.vector[0]) == pytest.approx(1)
    shares = loaded.vector[0, 16:] * np.sqrt(2)
    assert shares[bundle.labels.index("jazz")] == pytest.approx(
        0.75 / np.hypot(0.75, 0.25), abs=0.02
    )


def test_tempo_and_key_are_those_of_the_sound_where_a_tag_tells_none(
    catalogue: Catalogue, music: Path, tiny_bundle: Path
) -> None:
    bundle = Bundle.load(tiny_bundle)
    for name in ("a", "b", "c"):
        make_song(music / f"{name}.flac")
    scan(catalogue, [music])
    for name in ("a", "b", "c"):
        pretend(catalogue, bundle, f"{name}.flac", {"jazz": 1.0})
    catalogue.db.execute("UPDATE file SET bpm = 90 WHERE name = CAST('a.flac' AS BLOB)")
    catalogue.db.execute(
        "UPDATE judgement SET tempo = 128, key = 'A minor' FROM file "
        "WHERE file.audio = judgement.audio AND name <> CAST('c.flac' AS BLOB)"
    )
    loaded = load_vectors(catalogue, catalogue.bundle_id(bundle), bundle.labels)
    assert loaded.bpm.tolist() == [90, 128, 0]
    assert loaded.hour.tolist() == [8, 8, 0]


def test_the_product_is_the_mean_of_two_cosines() -> None:
    rng = np.random.default_rng(0)
    embedding, probs = rng.normal(size=(2, 16)), rng.dirichlet(np.ones(10), 2)
    first, second = joined(embedding, probs)
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in (embedding, probs)]
    assert first @ second == pytest.approx(np.mean(cosines), abs=1e-6)


def test_the_arrays_are_made_again_only_after_a_change(
    catalogue: Catalogue, music: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = Bundle.load(tiny_bundle)
    number = catalogue.bundle_id(bundle)
    for name in ("a", "b"):
        make_song(music / f"{name}.flac")
    scan(catalogue, [music])
    pretend(catalogue, bundle, "a.flac", {"jazz": 1.0})
    first = load_vectors(catalogue, number, bundle.labels)
    real = module._columns
    monkeypatch.setattr(module, "_columns", None)
    again = load_vectors(catalogue, number, bundle.labels)
    np.testing.assert_array_equal(first.vector, again.vector)
    monkeypatch.setattr(module, "_columns", real)
    pretend(catalogue, bundle, "b.flac", {"jazz": 1.0})
    assert len(load_vectors(catalogue, number, bundle.labels)) == 2
    (cache,) = catalogue.path.parent.glob("*vectors*")
    cache.write_bytes(b"damaged")
    assert len(load_vectors(catalogue, number, bundle.labels)) == 2


def test_an_empty_catalogue_has_no_rows(catalogue: Catalogue, tiny_bundle: Path) -> None:
    bundle = Bundle.load(tiny_bundle)
    assert len(load_vectors(catalogue, catalogue.bundle_id(bundle), bundle.labels)) == 0


def test_the_arrays_of_another_catalogue_of_the_same_name_do_not_count(
    tmp_path: Path, music: Path, tiny_bundle: Path
) -> None:
    bundle = Bundle.load(tiny_bundle)
    for n_songs in (1, 2):
        for name in ("again.db", "again.db-wal", "again.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        make_song(music / f"{n_songs}.flac", seed=n_songs)
        with Catalogue(tmp_path / "again.db") as catalogue:
            scan(catalogue, [music])
            for i in range(n_songs):
                pretend(catalogue, bundle, f"{i + 1}.flac", {"jazz": 1.0})
            catalogue.db.execute("UPDATE state SET value = 5 WHERE name = 'revision'")
            number = catalogue.bundle_id(bundle)
            assert len(load_vectors(catalogue, number, bundle.labels)) == n_songs
