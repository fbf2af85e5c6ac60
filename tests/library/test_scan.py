from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from library_makers import make_song, tag

from genrescope.errors import LibraryError
from genrescope.library import scan as scanning
from genrescope.library.catalogue import Catalogue
from genrescope.library.scan import Report, scan
from genrescope.library.songs import Song, by_path, songs, tags_of


def _songs(catalogue: Catalogue) -> list[Song]:
    return list(songs(catalogue, None))


def _paths(catalogue: Catalogue) -> list[str]:
    return [song.path for song in _songs(catalogue)]


def _figures(report: Report) -> tuple[int, int, int]:
    return report.new, report.changed, report.gone


def test_files_and_their_tags_are_known(catalogue: Catalogue, music: Path) -> None:
    make_song(music / "a" / "one.mp3", artist="Bessie", title="Blue", genre="Blues")
    make_song(music / "b" / "two.flac", artist="Björk", album="Homogenic")
    (music / "b" / "cover.jpg").write_bytes(b"x")
    (music / "b" / "._two.flac").write_bytes(b"x")
    report = scan(catalogue, [music])
    assert (report.files, report.folders, _figures(report)) == (2, 3, (2, 0, 0))
    first, second = _songs(catalogue)
    assert (first.artist, first.title, first.genre) == ("Bessie", "Blue", "Blues")
    assert (second.artist, second.album, second.codec) == ("Björk", "Homogenic", "flac")
    assert first.duration_s == pytest.approx(1, abs=0.1)
    assert ("TPE1", "Bessie") in tags_of(catalogue, first.id)


def test_a_second_scan_reads_nothing_again(
    catalogue: Catalogue, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(3):
        make_song(music / f"{i}.mp3", artist=str(i))
    scan(catalogue, [music])
    revision = catalogue.revision()
    monkeypatch.setattr(scanning, "read_tags", None)
    report = scan(catalogue)
    assert _figures(report) == (0, 0, 0)
    assert catalogue.revision() == revision


def test_only_what_changed_is_read(catalogue: Catalogue, music: Path) -> None:
    paths = [make_song(music / f"{i}.flac", title="old") for i in range(3)]
    scan(catalogue, [music])
    tag(paths[1], title="new")
    assert _figures(scan(catalogue)) == (0, 1, 0)
    assert [song.title for song in _songs(catalogue)] == ["old", "new", "old"]


def test_what_is_gone_is_forgotten(catalogue: Catalogue, music: Path) -> None:
    make_song(music / "a" / "1.flac")
    make_song(music / "b" / "2.flac")
    scan(catalogue, [music])
    (music / "a" / "1.flac").unlink()
    (music / "b" / "2.flac").unlink()
    (music / "b").rmdir()
    assert _figures(scan(catalogue)) == (0, 0, 2)
    assert _paths(catalogue) == []
    assert catalogue.db.execute("SELECT count(*) FROM words").fetchone() == (0,)


def test_a_moved_file_keeps_the_hash_of_its_sound(catalogue: Catalogue, music: Path) -> None:
    path = make_song(music / "a.flac")
    scan(catalogue, [music])
    catalogue.db.execute("UPDATE file SET audio = x'01'")
    (music / "z").mkdir()
    path.rename(music / "z" / "b.flac")
    scan(catalogue)
    (song,) = _songs(catalogue)
    assert song.path.endswith("b.flac")
    assert song.audio == b"\x01"


def test_links_are_followed_into_each_folder_once(catalogue: Catalogue, music: Path) -> None:
    make_song(music / "a" / "1.flac")
    (music / "a" / "loop").symlink_to(music)
    (music / "b").symlink_to(music / "a")
    (music / "link.flac").symlink_to(music / "a" / "1.flac")
    (music / "broken.flac").symlink_to(music / "nowhere")
    os.link(music / "a" / "1.flac", music / "hard.flac")
    scan(catalogue, [music])
    assert {Path(song.path).name: song.links for song in _songs(catalogue)} == {
        "1.flac": 2,
        "hard.flac": 2,
        "link.flac": 0,
    }


def test_an_absent_root_and_an_emptied_one_change_nothing(
    catalogue: Catalogue, music: Path
) -> None:
    path = make_song(music / "1.flac")
    scan(catalogue, [music])
    path.unlink()
    with pytest.raises(LibraryError, match=r"empty, but held 1 files.*Connect the disk"):
        scan(catalogue)
    assert len(_paths(catalogue)) == 1
    assert scan(catalogue, forget_empty=True).gone == 1
    music.rmdir()
    with pytest.raises(LibraryError, match="no such folder"):
        scan(catalogue)


def test_without_a_root_it_says_so(catalogue: Catalogue) -> None:
    with pytest.raises(LibraryError, match="no folder of music yet"):
        scan(catalogue)


def test_a_folder_that_cannot_be_read_keeps_what_it_held(
    catalogue: Catalogue, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_song(music / "closed" / "below" / "1.flac")
    make_song(music / "open" / "2.flac")
    scan(catalogue, [music])
    real = os.scandir

    def refuse(path: object) -> object:
        if os.fsencode(path).endswith(b"closed"):  # type: ignore[arg-type]
            raise PermissionError(13, "Permission denied")
        return real(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", refuse)
    report = scan(catalogue)
    assert report.gone == 0
    assert any("closed" in line and "Permission denied" in line for line in report.unreadable)
    assert len(_paths(catalogue)) == 2


def test_names_that_are_no_text_and_both_forms_of_accents(
    catalogue: Catalogue, music: Path
) -> None:
    names = [
        os.fsdecode(b"\xff\xfe.flac"),
        unicodedata.normalize("NFC", "é.flac"),
        unicodedata.normalize("NFD", "é.flac"),
        "line\nbreak.flac",
    ]
    for name in names:
        make_song(music / name)
    scan(catalogue, [music])
    assert sorted(_paths(catalogue)) == sorted(str(music / name) for name in names)
    assert by_path(catalogue, None, str(music / names[0])) is not None


def test_a_damaged_file_is_a_row_with_its_reason(catalogue: Catalogue, music: Path) -> None:
    (music / "bad.flac").write_bytes(b"fLaC" + b"\xff" * 100)
    report = scan(catalogue, [music])
    (song,) = _songs(catalogue)
    assert song.error is not None
    assert "bad.flac: its tags cannot be read" in song.error
    assert report.unreadable == [song.error]


def test_an_empty_file_is_named_once_with_its_remedy(catalogue: Catalogue, music: Path) -> None:
    (music / "empty.mp3").write_bytes(b"")
    (line,) = scan(catalogue, [music]).unreadable
    assert line.startswith(
        f"{music / 'empty.mp3'}: its tags cannot be read: it is empty (0 bytes). "
    )
    assert line.count("empty.mp3") == 1


def test_a_file_that_changes_meanwhile_is_read_again_next_time(
    catalogue: Catalogue, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_song(music / "1.flac", title="old")
    real = scanning.read_tags

    def changing(source: bytes) -> object:
        read = real(source)
        tag(path, title="a longer title than before")
        return read

    monkeypatch.setattr(scanning, "read_tags", changing)
    scan(catalogue, [music])
    assert "changed while it was read" in str(_songs(catalogue)[0].error)
    monkeypatch.setattr(scanning, "read_tags", real)
    assert scan(catalogue).changed == 1
    (song,) = _songs(catalogue)
    assert (song.title, song.error) == ("a longer title than before", None)


def test_long_files_and_those_of_a_sheet_are_classes_of_their_own(
    catalogue: Catalogue, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_song(music / "track.flac")
    make_song(music / "Album.flac")
    make_song(music / "mix.flac", seconds=3)
    monkeypatch.setattr(scanning, "LONG_S", 2.0)
    scan(catalogue, [music])
    sheet = 'FILE "album.FLAC" WAVE\n  TRACK 01 AUDIO\n  TRACK 02 AUDIO\n'
    (music / "album.cue").write_text(sheet + 'FILE "track.flac" WAVE\n TRACK 01 AUDIO\n')
    scan(catalogue)
    kinds = {Path(song.path).name: song.kind for song in _songs(catalogue)}
    assert kinds == {"Album.flac": "album", "mix.flac": "long", "track.flac": "track"}


def test_a_root_within_another_does_not_double_files(catalogue: Catalogue, music: Path) -> None:
    make_song(music / "a" / "1.flac")
    scan(catalogue, [music])
    scan(catalogue, [music / "a"])
    assert len(_paths(catalogue)) == 1
    assert _figures(scan(catalogue)) == (0, 0, 0)
