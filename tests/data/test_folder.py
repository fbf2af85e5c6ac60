"""A folder of one's own music."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from genrescope.data import folder
from genrescope.errors import DatasetError


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Empty files suffice: reading a folder decodes nothing."""
    for name in (
        "fado/one.mp3",
        "fado/live/two.FLAC",
        "polka/one.ogg",
        "polka/one.wav",
        "polka/._one.ogg",
        "polka/cover.jpg",
        ".cache/three.mp3",
        "artwork/front.png",
        "loose.mp3",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def test_sub_folders_are_genres(music: Path) -> None:
    dataset = folder.read(music)
    ids = {track.track_id: track.genre for track in dataset.tracks}
    assert ids == {
        "fado/live/two.FLAC": "fado",
        "fado/one.mp3": "fado",
        "polka/one.ogg": "polka",
        "polka/one.wav": "polka",
    }
    assert all(track.path == music / track.track_id for track in dataset.tracks)
    assert set(dataset.absent) == {"artwork/", "loose.mp3"}


def test_artists_are_found_however_accents_are_written(music: Path) -> None:
    (music / "fado" / "Ama\u0301lia.mp3").touch()
    (music / "artists.csv").write_text(
        "track,artist\n fado/Am\u00e1lia ,Am\u00e1lia\n", encoding="utf-8"
    )
    artists = {track.artist for track in folder.read(music).tracks}
    assert artists == {None, "Am\u00e1lia"}


@pytest.mark.skipif(os.name == "nt", reason="there links need rights")
def test_links_are_followed_and_what_leads_nowhere_is_named(
    music: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "album").mkdir()
    (elsewhere / "album" / "three.mp3").touch()
    (elsewhere / "album" / "back").symlink_to(elsewhere)
    (music / "fado" / "linked").symlink_to(elsewhere / "album")
    (music / "tango").symlink_to(elsewhere)
    (music / "fado" / "gone.mp3").symlink_to(elsewhere / "nowhere.mp3")
    dataset = folder.read(music)
    ids = {track.track_id for track in dataset.tracks}
    assert {"fado/linked/three.mp3", "tango/album/three.mp3", "fado/one.mp3"} <= ids
    assert len(ids) < 10
    assert dataset.absent["fado/gone.mp3"] == "a broken link"


@pytest.mark.skipif(os.name == "nt", reason="there links need rights")
def test_gtzan_is_known_through_links(tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    for genre in ("blues", "jazz"):
        there = tmp_path / "archive" / genre
        there.mkdir(parents=True)
        (there / f"{genre}.00000.wav").touch()
        (tmp_path / "music" / genre).symlink_to(there)
    dataset = folder.read_any(tmp_path / "music")
    assert {track.track_id for track in dataset.tracks} == {"blues.00000", "jazz.00000"}


@pytest.mark.skipif(os.name == "nt", reason="there names are text")
def test_a_name_that_is_no_text_is_spelt_out(music: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(music / "fado") + b"/caf\xe9.mp3"))
    try:
        odd.touch()
    except OSError:
        pytest.skip("this file system has no such names")
    (track,) = (t for t in folder.read(music).tracks if t.path == odd)
    assert track.track_id == "fado/caf\\udce9.mp3"
    assert track.track_id.encode()


def test_a_doubtful_genre_is_marked_by_a_file(music: Path) -> None:
    path = music / "artists.csv"
    path.write_text(
        "track,artist,certain\nfado/live/two,Ana,no\npolka/one.wav,Ana,\n", encoding="utf-8"
    )
    doubtful = [track.track_id for track in folder.read(music).tracks if not track.certain]
    assert doubtful == ["fado/live/two.FLAC"]
    path.write_text("track,artist,certain\npolka/one.wav,Ana,maybe\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"line 2: certain is 'maybe'; write yes or no"):
        folder.read(music)


def test_artists_are_named_by_a_file(music: Path) -> None:
    (music / "artists.csv").write_text(
        "\ufefftrack,artist,title\nfado/one,Amália,Ay\npolka/one.wav,Frank,\n", encoding="utf-8"
    )
    known = {track.track_id: (track.artist, track.title) for track in folder.read(music).tracks}
    assert known == {
        "fado/live/two.FLAC": (None, None),
        "fado/one.mp3": ("Amália", "Ay"),
        "polka/one.ogg": (None, None),
        "polka/one.wav": ("Frank", None),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("track,artist\nfado/one,A\nfado/nine,B\n", r"line 3: there is no track 'fado/nine'"),
        ("track,artist\npolka/one,A\n", r"'polka/one' fits two files; write the suffix as well"),
        ("file,by\nfado/one,A\n", "must name track and artist"),
        ("", "must name track and artist"),
    ],
)
def test_faulty_artists_file_names_the_line(music: Path, text: str, message: str) -> None:
    (music / "artists.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        folder.read(music)


def test_artists_file_in_another_encoding(music: Path) -> None:
    (music / "artists.csv").write_bytes("track,artist\nfado/one,Amália\n".encode("utf-16"))
    with pytest.raises(DatasetError, match="UTF-8"):
        folder.read(music)


def test_too_little_for_a_data_set(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        folder.read(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="found none"):
        folder.read(tmp_path)
    (tmp_path / "artists.csv").touch()
    with pytest.raises(DatasetError, match=r"artists\.csv: is a file"):
        folder.read(tmp_path / "artists.csv")
    (tmp_path / "fado").mkdir()
    (tmp_path / "fado" / "one.mp3").touch()
    with pytest.raises(DatasetError, match="only fado"):
        folder.read(tmp_path)


def test_gtzan_is_known_by_its_names_alone(
    music: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    plain = tmp_path_factory.mktemp("plain")
    for name in ("genres/rock/rock.00000.wav", "genres/pop/pop.00000.wav"):
        (plain / name).parent.mkdir(parents=True)
        (plain / name).touch()
    assert [t.track_id for t in folder.read_any(plain).tracks] == ["pop.00000", "rock.00000"]
    (music / "fado" / "blues.00000.wav").touch()
    assert len(folder.read_any(music).tracks) == 5
    with pytest.raises(DatasetError, match="no such folder"):
        folder.read_any(plain / "nowhere")
