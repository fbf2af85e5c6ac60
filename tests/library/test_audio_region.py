from __future__ import annotations

import os
from pathlib import Path

import pytest
from audio_makers import id3_tag
from library_makers import WRITABLE, make_song, sound, tag

from genrescope.errors import LibraryError
from genrescope.library import audio_region
from genrescope.library.audio_region import audio_hash

APE = b"APETAGEX" + (2000).to_bytes(4, "little") + (40).to_bytes(4, "little") + bytes(16)
LYRICS = b"LYRICSBEGIN" + b"x" * 20 + b"000031LYRICS200"


@pytest.mark.parametrize("kind", WRITABLE)
def test_tags_do_not_change_it(kind: str, tmp_path: Path) -> None:
    path = make_song(tmp_path / f"a{WRITABLE[kind]}", kind)
    before = audio_hash(path)
    tag(path, artist="Somebody", genre="Jazz", title="A very long title " * 300)
    assert path.read_bytes() != sound(kind)
    assert audio_hash(path) == before


@pytest.mark.parametrize("kind", [*WRITABLE, "wma", "aac", "webm"])
def test_another_sound_changes_it(kind: str, tmp_path: Path) -> None:
    first = make_song(tmp_path / "a", kind, seed=1)
    second = make_song(tmp_path / "b", kind, seed=2)
    assert audio_hash(first) != audio_hash(second)


@pytest.mark.parametrize("kind", [*WRITABLE, "wma", "aac"])
def test_a_changed_byte_of_sound_changes_it(kind: str, tmp_path: Path) -> None:
    path = make_song(tmp_path / "a", kind)
    before = audio_hash(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert audio_hash(path) != before


@pytest.mark.parametrize(
    "trailer",
    [
        b"TAG" + bytes(125),
        APE + bytes(8) + APE,
        LYRICS,
        LYRICS + b"TAG" + bytes(125),
        APE + bytes(8) + APE + b"TAG" + bytes(125),
    ],
    ids=["id3v1", "ape", "lyrics3", "lyrics3 and id3v1", "ape and id3v1"],
)
def test_tags_at_the_end_do_not_count(trailer: bytes, tmp_path: Path) -> None:
    bare, tagged = tmp_path / "a.mp3", tmp_path / "b.mp3"
    bare.write_bytes(sound("mp3-bare"))
    if trailer.startswith(b"APE"):  # the header says that it is one
        flags = bytearray(trailer)
        flags[63], flags[72 - 9] = 0x80, 0x80
        trailer = bytes(flags)
    tagged.write_bytes(id3_tag(bytes(100)) + sound("mp3-bare") + trailer)
    assert audio_hash(tagged) == audio_hash(bare)


def test_an_empty_or_absent_file_has_none(tmp_path: Path) -> None:
    (tmp_path / "empty.mp3").touch()
    with pytest.raises(LibraryError, match="empty"):
        audio_hash(tmp_path / "empty.mp3")
    with pytest.raises(LibraryError, match="cannot be read"):
        audio_hash(tmp_path / "absent.mp3")


def test_odd_bytes_end_in_a_hash(tmp_path: Path) -> None:
    """Headers that promise what is not there lead neither to an error nor to a loop."""
    path = tmp_path / "odd"
    for head in (b"fLaC", b"OggS", b"\0\0\0\1ftypM4A ", b"RIFF\0\0\0\0WAVE", b"FORM\0\0\0\0AIFF"):
        path.write_bytes(head + os.urandom(3_000))
        assert len(audio_hash(path)) == 20


@pytest.mark.parametrize("most", [1 << 20, 1 << 28])
def test_an_ogg_packet_without_end_is_hashed_in_one_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Joined piece by piece, its 20 MB would take a quarter of an hour."""
    monkeypatch.setattr(audio_region, "_MOST_HEADER", most)

    def page(number: int) -> bytes:
        head = b"OggS\0" + bytes([2 * (number == 0)]) + bytes(8)
        head += (1).to_bytes(4, "little") + number.to_bytes(4, "little") + bytes(4)
        return head + b"\xff" + b"\xff" * 255 + bytes([number % 256]) * 65_025

    hashes = set()
    for n_pages in (1, 320, 321):
        (tmp_path / "a.ogg").write_bytes(b"".join(map(page, range(n_pages))))
        hashes.add(audio_hash(tmp_path / "a.ogg"))
    assert len(hashes) == 3
