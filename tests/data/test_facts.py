"""Tables of facts beside music and beside features: artist, title, how certain the genre is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genrescope.data.build import build_store
from genrescope.data.facts import facts_beside, read_table
from genrescope.data.folder import read
from genrescope.data.store import FeatureStore
from genrescope.data.track import Track
from genrescope.errors import DatasetError

HEAD = "track,genre,artist,title,certain\n"


def store_of(folder: Path, *tracks: str) -> Path:
    path = folder / "mel.npz"
    mel = np.random.default_rng(0).integers(0, 256, (len(tracks), 128, 40), dtype=np.uint8)
    np.savez(path, track=list(tracks), genre=["fado"] * len(tracks), mel=mel)
    return path


def test_tables_beside_a_store_name_its_artists(tmp_path: Path) -> None:
    path = store_of(tmp_path, "a", "b", "c")
    (tmp_path / "tracks.csv").write_text(HEAD + "a,fado,Ana,Barco,no\nz,fado,Zé,,yes\n", "utf-8")
    (tmp_path / "more_tracks.csv").write_text("track,genre,artist\nb,fado,\n", "utf-8")
    first, second, third = FeatureStore.load(path).facts
    assert (first.artist, first.title, first.certain) == ("Ana", "Barco", False)
    assert (second.artist, second.title, second.certain) == (None, None, True)
    assert (third.artist, third.genre) == (None, "fado")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("track,genre\na,fado\n", "its first line must name track and artist"),
        (HEAD + "a,fado,Ana,,perhaps\n", r"line 2: certain is 'perhaps'; write yes or no"),
    ],
)
def test_a_faulty_table_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "tracks.csv").write_text(text, "utf-8")
    with pytest.raises(DatasetError, match=rf"tracks\.csv.*{message}"):
        facts_beside(tmp_path / "mel.npz", ["a"])


def test_a_table_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "tracks.csv").write_bytes(HEAD.encode() + "a,fado,Zé,,yes\n".encode("latin-1"))
    with pytest.raises(DatasetError, match="cannot be read as CSV in UTF-8"):
        facts_beside(tmp_path / "mel.npz", ["a"])


@pytest.mark.slow
def test_a_built_store_remembers_what_is_doubtful(music: Path, tmp_path: Path) -> None:
    (music / "artists.csv").write_text("track,artist,certain\nfado/0,Ana,no\n", "utf-8")
    build_store(read(music), tmp_path / "store", workers=1)
    facts = FeatureStore.load(tmp_path / "store").facts
    assert [track.track_id for track in facts if not track.certain] == ["fado/0.wav"]


def test_rows_become_facts_of_tracks(tmp_path: Path) -> None:
    path = tmp_path / "tracks.csv"
    path.write_text(
        "track,genre,artist,title,certain,seconds\n"
        "a,fado, Amália ,Ay,yes,3\n"
        "b,polka,,,NO,\n"
        "c,polka,Frank,,,\n",
        encoding="utf-8",
    )
    rows = list(read_table(path))
    assert [(row.track, row.artist, row.title, row.certain) for row in rows] == [
        ("a", "Amália", "Ay", True),
        ("b", None, None, False),
        ("c", "Frank", None, True),
    ]
    assert rows[1].where.endswith("tracks.csv, line 3")
    track = rows[0].of(Track("music/a", "fado", faults=("distorted",)))
    assert track == Track("music/a", "fado", artist="Amália", title="Ay", faults=("distorted",))


def test_a_track_in_two_rows_is_an_error(tmp_path: Path) -> None:
    path = store_of(tmp_path, "a", "b")
    (tmp_path / "tracks.csv").write_text(HEAD + "a,fado,Ana,Barco,no\n", "utf-8")
    (tmp_path / "more_tracks.csv").write_text("track,artist\na,Zé\n", "utf-8")
    (tmp_path / "notes.csv").write_text("track,artist\nb,Zé\n", "utf-8")
    with pytest.raises(DatasetError, match=r"tracks\.csv, line 2: a stands in .*csv, line 2"):
        FeatureStore.load(path)
    (tmp_path / "more_tracks.csv").unlink()
    assert [track.artist for track in FeatureStore.load(path).facts] == ["Ana", None]
