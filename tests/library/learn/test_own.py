from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from library_makers import make_song, pretend, tag

from genrescope.errors import LibraryError
from genrescope.library.catalogue import Catalogue
from genrescope.library.learn.own import learn
from genrescope.library.scan import scan
from genrescope.model import Classifier
from genrescope.model.bundle import Bundle


def _fill(
    catalogue: Catalogue, music: Path, bundle: Bundle, genres: dict[str, int], *, artists: int = 5
) -> None:
    """Songs of genres, each around a direction of its own of the embedding, tiny and quick."""
    rng = np.random.default_rng(0)
    made = make_song(music / "first.flac")
    for genre, n in genres.items():
        for i in range(n):
            path = music / genre.replace("/", "-") / f"{genre.replace('/', '-')}{i}.flac"
            path.parent.mkdir(exist_ok=True)
            shutil.copy(made, path)
            tag(path, artist=f"{genre} artist {i % artists}", genre=genre)
    made.unlink()
    scan(catalogue, [music])
    for k, (genre, n) in enumerate(genres.items()):
        for i in range(n):
            embedding = rng.normal(size=16) * 0.15
            embedding[k] += 1
            name = f"{genre.replace('/', '-')}{i}.flac"
            pretend(catalogue, bundle, name, {"pop": 1.0}, embedding=embedding.astype(np.float32))


@pytest.fixture
def base(tiny_bundle: Path) -> Bundle:
    return Bundle.load(tiny_bundle)


@pytest.mark.slow
def test_own_genres_become_a_bundle_that_answers(
    catalogue: Catalogue, music: Path, base: Bundle, tmp_path: Path
) -> None:
    _fill(catalogue, music, base, {"Dub": 12, "Minimal": 12, "Zeuhl": 12})
    learned = learn(catalogue, base, tmp_path / "mine")
    assert learned.bundle.labels == ("Dub", "Minimal", "Zeuhl")
    assert learned.accuracy.value > 0.9
    assert learned.accuracy.low <= learned.accuracy.value <= learned.accuracy.high
    assert learned.cannot_tell == []
    (row,) = learned.bundle.metrics
    assert (row["protocol"], row["n"], set(row["recalls"])) == (
        "artists",
        36,
        {"Dub", "Minimal", "Zeuhl"},
    )
    prediction = Classifier.load(tmp_path / "mine").classify(next(music.rglob("*.flac")))
    assert prediction.genre in learned.bundle.labels
    assert prediction.genres


def test_too_little_is_refused_in_words(
    catalogue: Catalogue, music: Path, base: Bundle, tmp_path: Path
) -> None:
    _fill(catalogue, music, base, {"Dub": 12, "Minimal": 7})
    with pytest.raises(
        LibraryError, match=r"8 tracks by 3 artists; there are 1.*Minimal: 7 tracks"
    ):
        learn(catalogue, base, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_too_few_artists_are_refused(
    catalogue: Catalogue, music: Path, base: Bundle, tmp_path: Path
) -> None:
    _fill(catalogue, music, base, {"Dub": 9, "Minimal": 9}, artists=2)
    with pytest.raises(LibraryError, match="9 tracks by 2 artists"):
        learn(catalogue, base, tmp_path / "mine")


@pytest.mark.slow
def test_rare_genres_are_left_out_and_named(
    catalogue: Catalogue, music: Path, base: Bundle, tmp_path: Path
) -> None:
    _fill(catalogue, music, base, {"Dub": 9, "Minimal": 9, "Zeuhl": 3})
    learned = learn(catalogue, base, tmp_path / "mine")
    assert learned.bundle.labels == ("Dub", "Minimal")
    assert learned.left_out["Zeuhl"] == "3 tracks by 3 artists"


@pytest.mark.slow
def test_a_table_merges_spellings_and_drops_some(
    catalogue: Catalogue, music: Path, base: Bundle, tmp_path: Path
) -> None:
    _fill(catalogue, music, base, {"Dub": 9, "dub reggae": 4, "Minimal": 9, "Other": 9})
    learned = learn(catalogue, base, tmp_path / "mine", table={"Dub Reggae": "Dub", "Other": ""})
    assert learned.bundle.labels == ("Dub", "Minimal")
    assert learned.bundle.metrics[0]["n"] == 22


@pytest.mark.slow
def test_folders_may_say_the_genre(
    catalogue: Catalogue, music: Path, base: Bundle, tmp_path: Path
) -> None:
    _fill(catalogue, music, base, {"Dub": 9, "Minimal": 9})
    catalogue.db.execute("UPDATE file SET genre = 'Rock'")
    learned = learn(catalogue, base, tmp_path / "mine", folder=music)
    assert learned.bundle.labels == ("Dub", "Minimal")


def test_what_genrescope_wrote_teaches_nothing(
    catalogue: Catalogue, music: Path, base: Bundle, tmp_path: Path
) -> None:
    _fill(catalogue, music, base, {"Dub": 9, "Minimal": 9})
    catalogue.db.execute("INSERT INTO run (kind, began) VALUES ('apply', 0)")
    catalogue.db.execute(
        "INSERT INTO edit (run, path, part, state, changes, audio) "
        "SELECT 1, CAST(CAST(folder.path AS TEXT) || '/' || CAST(name AS TEXT) AS BLOB), x'', "
        """'done', '[["genre", [], ["Dub"]]]', x'' FROM file JOIN folder ON folder.id = folder"""
    )
    with pytest.raises(LibraryError, match="songs whose genre Genrescope wrote: 9 left out"):
        learn(catalogue, base, tmp_path / "mine")


@pytest.mark.slow
def test_genres_that_cannot_be_told_are_named(
    catalogue: Catalogue, music: Path, base: Bundle, tmp_path: Path
) -> None:
    _fill(catalogue, music, base, {"Dub": 30, "Minimal": 30, "Same": 30})
    rng = np.random.default_rng(0)
    for name in ("Minimal", "Same"):  # now two names of one sound
        for i in range(30):
            embedding = rng.normal(size=16).astype(np.float32)
            embedding[5] += 4
            raw = np.rint(embedding / np.abs(embedding).max() * 127).astype(np.int8).tobytes()
            catalogue.db.execute(
                "UPDATE judgement SET embedding = ?, scale = 0.01 WHERE audio = "
                "(SELECT audio FROM file WHERE name = ?)",
                (raw, f"{name}{i}.flac".encode()),
            )
    learned = learn(catalogue, base, tmp_path / "mine")
    told = {figure.genre: figure for figure in learned.figures}
    assert told["Dub"].recall > 0.9
    weak = learned.cannot_tell
    assert weak
    assert {figure.genre for figure in weak} <= {"Minimal", "Same"}
    assert all(figure.taken_for in ("Minimal", "Same", "Dub") for figure in weak)
