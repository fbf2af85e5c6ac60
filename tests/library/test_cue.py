from __future__ import annotations

from pathlib import Path

from genrescope.library.cue import albums_of

SHEET = """REM GENRE Jazz
PERFORMER "Somebody"
FILE "The Album.flac" WAVE
  TRACK 01 AUDIO
    TITLE "First"
  TRACK 02 AUDIO
file Single.wav WAVE
  track 01 audio
"""


def test_a_file_of_several_tracks_is_an_album(tmp_path: Path) -> None:
    sheet = tmp_path / "a.cue"
    for encoding in ("utf-8", "utf-8-sig", "cp1252"):
        sheet.write_text(SHEET.replace("Album", "Ålbum"), encoding=encoding)
        assert albums_of(sheet) == {"the ålbum.flac".encode()}


def test_what_is_no_sheet_names_nothing(tmp_path: Path) -> None:
    sheet = tmp_path / "a.cue"
    assert albums_of(sheet) == frozenset()
    sheet.write_bytes(bytes(range(256)))
    assert albums_of(sheet) == frozenset()


def test_a_sheet_of_nothing_but_line_ends_is_read_at_once(tmp_path: Path) -> None:
    sheet = tmp_path / "album.cue"
    sheet.write_bytes(b"\n" * (1 << 20))  # hours, where each of them is tried with all behind it
    assert albums_of(sheet) == frozenset()
