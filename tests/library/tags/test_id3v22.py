from __future__ import annotations

import shutil
from pathlib import Path

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from library_makers import sound
from mutagen.id3 import ID3

from genrescope.errors import LibraryError
from genrescope.library.tags.fields import BPM, GENRE, KEY, OWN_GENRE, values_of
from genrescope.library.tags.reading import read_tags
from genrescope.library.tags.writing import edit_copy

words = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp", "Co", "Cn")),
    min_size=1,
    max_size=20,
).filter(lambda text: not text[0].isdigit() and text[0] not in "(\ufeff\ufffe")


def _frame(name: bytes, content: bytes) -> bytes:
    return name + len(content).to_bytes(3, "big") + content


TITLE = _frame(b"TT2", b"\x00Title")
PICTURE = _frame(b"PIC", b"\x00PNG\x03\x00\x89PNG" + bytes(range(200)))
ODD = _frame(b"XYZ", b"what nobody knows")


def _song(path: Path, body: bytes, flags: int = 0) -> Path:
    size = bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3\x02\x00" + bytes([flags]) + size + body + sound("mp3-bare"))
    return path


def _edited(path: Path, changes: dict[str, list[str]]) -> Path:
    copy = path.with_name("copy.part")
    shutil.copyfile(path, copy)
    edit_copy(path, copy, changes)
    return copy.replace(path.with_name("done.mp3"))


@pytest.mark.parametrize("padding", [0, 2_000])
def test_fields_are_set_and_taken_back_and_other_frames_stay(padding: int, tmp_path: Path) -> None:
    path = _song(tmp_path / "a.mp3", TITLE + PICTURE + ODD + bytes(padding))
    changes = {GENRE: ["Jazz"], OWN_GENRE: ["jazz"], BPM: ["128"], KEY: ["C#m"]}
    done = _edited(path, changes)
    data = done.read_bytes()
    assert data.startswith(b"ID3\x02")
    assert data[10:].startswith(TITLE + PICTURE + ODD)
    assert data.endswith(sound("mp3-bare"))
    assert len(data) == len(path.read_bytes()) or not padding
    assert {m: values_of(read_tags(done).tags, m) for m in changes} == changes
    assert ID3(done)["TIT2"].text == ["Title"]
    back = _edited(done, {key: [] for key in changes})
    assert read_tags(back).tags == read_tags(path).tags


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(genre=words, own=words)
def test_mutagen_and_ffmpeg_read_what_was_written(tmp_path: Path, genre: str, own: str) -> None:
    done = _edited(_song(tmp_path / "a.mp3", TITLE), {GENRE: [genre], OWN_GENRE: [own]})
    assert ID3(done)["TXXX:GENRESCOPE_GENRE"].text == [own]
    with av.open(str(done)) as container:
        told = {name.casefold(): value for name, value in container.metadata.items()}
    assert (told["genre"], told["title"]) == (genre, "Title")


def test_a_field_that_is_there_is_replaced(tmp_path: Path) -> None:
    there = _frame(b"TCO", b"\x00Rock") + _frame(b"TXX", b"\x00GENRESCOPE_GENRE\x00rock")
    wide = "GENRESCOPE_SET\0rock".encode("utf-16")
    body = there + _frame(b"TXX", b"\x00Mood\x00late") + _frame(b"TXX", b"\x01" + wide)
    done = _edited(_song(tmp_path / "a.mp3", body), {GENRE: ["Jazz"], OWN_GENRE: ["jazz"]})
    assert {str(tag.field): tag.value for tag in read_tags(done).tags} == {
        "TCON": "Jazz",
        "TXXX:GENRESCOPE_GENRE": "jazz",
        "TXXX:GENRESCOPE_SET": "rock",
        "TXXX:Mood": "late",
    }


def test_an_unsynchronised_tag_is_read_as_it_is_meant(tmp_path: Path) -> None:
    body = _frame(b"TT2", b"\x01\xff\xfeT\x00").replace(b"\xff\xfe", b"\xff\x00\xfe")
    done = _edited(_song(tmp_path / "a.mp3", body, flags=0x80), {GENRE: ["Jazz"]})
    assert ID3(done)["TIT2"].text == ["T"]


def test_several_values_compressed_and_damaged_tags_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match=r"ID3v2\.2, which holds one genre"):
        _edited(_song(tmp_path / "a.mp3", TITLE), {GENRE: ["Jazz", "Blues"]})
    with pytest.raises(LibraryError, match="compressed or damaged"):
        _edited(_song(tmp_path / "b.mp3", TITLE + b"no frame"), {GENRE: ["Jazz"]})
    with pytest.raises(LibraryError):
        _edited(_song(tmp_path / "c.mp3", TITLE, flags=0x40), {GENRE: ["Jazz"]})
