from __future__ import annotations

import io
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from bundle_maker import make_bundle

from genrescope.errors import BundleError
from genrescope.model import Bundle, Catalogue
from genrescope.model.similar import search_url

AXES = np.eye(16, dtype=np.float32)


def catalogue(tmp_path: Path, embedding: np.ndarray, **columns: list[str]) -> Catalogue:
    n = len(embedding)
    values = {
        "track": [f"t{i}" for i in range(n)],
        "artist": [f"Artist {i}" for i in range(n)],
        "title": [f"Title {i}" for i in range(n)],
        "genre": ["rock"] * n,
        **columns,
    }
    buffer = io.BytesIO()
    arrays = {name: np.array(column) for name, column in values.items()}
    np.savez(buffer, embedding=embedding.astype(np.float16), **arrays)
    return Catalogue.load(make_bundle(tmp_path / "b", catalogue=buffer.getvalue()))


def test_the_nearest_come_first_with_the_cosine(tmp_path: Path) -> None:
    angles = np.radians([80, 10, 0, 45])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1) * [[1], [3], [0.5], [2]]
    matches = catalogue(tmp_path, rows).nearest(np.array([5.0, 0]), n=3)
    assert [m.track_id for m in matches] == ["t2", "t1", "t3"]
    assert [m.similarity for m in matches] == pytest.approx(
        np.cos(np.radians([0, 10, 45])), abs=1e-3
    )
    assert (matches[0].artist, matches[0].title, matches[0].genre) == (
        "Artist 2",
        "Title 2",
        "rock",
    )


def test_tracks_without_any_name_are_not_suggested(tiny_bundle: Path) -> None:
    matches = Catalogue.load(Bundle.load(tiny_bundle)).nearest(AXES[2], n=20)
    assert len(matches) == 15
    assert "tiny.00002" not in [m.track_id for m in matches]
    (half_named,) = (m for m in matches if m.track_id == "tiny.00003")
    assert half_named.artist is None
    assert half_named.title == "Title 3"
    assert half_named.search_url.endswith("=Title+3")


@pytest.mark.parametrize("length", [1e-44, 1e-30, 1e30])
def test_an_embedding_of_any_length_has_a_direction(tmp_path: Path, length: float) -> None:
    tracks = catalogue(tmp_path, AXES)
    found = tracks.nearest((AXES[3] * length).astype(np.float32), n=1)
    assert [(m.track_id, m.similarity) for m in found] == [("t3", pytest.approx(1, abs=1e-3))]


def test_an_artist_is_suggested_once(tmp_path: Path) -> None:
    names = {
        "artist": ["A", "a ", "B", "", "", ""],
        "title": ["Song", "Another", "Song", "Song", "SONG", "Tune"],
    }
    found = catalogue(tmp_path, np.eye(3)[[0, 0, 1, 1, 2, 2]], **names)
    assert [m.track_id for m in found.nearest(np.eye(3)[0], n=9)] == ["t0", "t2", "t3", "t5"]


def test_silence_and_a_bundle_without_catalogue_suggest_nothing(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    assert Catalogue.load(Bundle.load(tiny_bundle)).nearest(np.zeros(16)) == []
    without = Catalogue.load(make_bundle(tmp_path / "b", catalogue=None))
    assert len(without) == 0
    assert without.nearest(AXES[0]) == []


def test_an_embedding_of_another_net_is_refused(tiny_bundle: Path) -> None:
    with pytest.raises(ValueError, match="shape"):
        Catalogue.load(Bundle.load(tiny_bundle)).nearest(np.ones(3))


@pytest.mark.parametrize(
    ("artist", "title", "query"),
    [
        ("AC/DC", "Back in Black", "AC%2FDC+Back+in+Black"),
        ("Björk", "Jóga", "Bj%C3%B6rk+J%C3%B3ga"),
        ("", "A & B?", "A+%26+B%3F"),
        ("\ud800", "x", "%3F+x"),
    ],
)
def test_search_urls_are_percent_encoded(artist: str, title: str, query: str) -> None:
    assert search_url(artist, title) == f"https://www.youtube.com/results?search_query={query}"


def _npz(**changes: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    names = np.array(["a", "b"])
    values = {"embedding": np.eye(2), "track": names, "artist": names, "title": names}
    np.savez(buffer, **{**values, "genre": names, **changes})  # type: ignore[arg-type]
    return buffer.getvalue()


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("a pickle was opened",))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"PK no zip",
        pickle.dumps(_Bomb()),
        _npz(track=np.array([_Bomb(), _Bomb()], dtype=object)),
        _npz(embedding=np.eye(3)),
        _npz(embedding=np.full((2, 2), np.nan)),
        _npz(embedding=np.array(["x", "y"])),
        _npz(title=np.arange(2)),
        _npz()[:-30],
    ],
    ids=["empty", "zip", "pickle", "object", "rows", "nan", "text", "number", "cut"],
)
def test_a_hostile_catalogue_is_refused(tmp_path: Path, raw: bytes) -> None:
    bundle = make_bundle(tmp_path / "b", catalogue=raw)
    with pytest.raises(BundleError, match=r"catalogue\.npz is damaged"):
        Catalogue.load(bundle)


def test_a_catalogue_changed_after_the_bundle_was_loaded_is_refused(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    bundle = Bundle.load(shutil.copytree(tiny_bundle, tmp_path / "copy"))
    (bundle.path / "catalogue.npz").write_bytes(_npz())
    with pytest.raises(BundleError, match="SHA-256"):
        Catalogue.load(bundle)


def test_matches_are_json_ready(tiny_bundle: Path) -> None:
    (match,) = Catalogue.load(Bundle.load(tiny_bundle)).nearest(AXES[0], n=1)
    assert json.loads(json.dumps(vars(match)))["similarity"] == pytest.approx(1)
