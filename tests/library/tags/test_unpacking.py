"""A tag of a few kB that unpacks to gigabytes is refused, and what unpacks to little is read."""

from __future__ import annotations

import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from library_makers import make_song, sound
from mutagen.id3 import ID3

from genrescope.errors import LibraryError
from genrescope.library.tags.reading import read_tags

MB = 2**20


def synchsafe(number: int) -> bytes:
    return bytes(number >> shift & 127 for shift in (21, 14, 7, 0))


def packed_frame(name: str, n_bytes: int, version: int) -> bytes:
    """A user's text of so many bytes, compressed."""
    raw = b"\x03" + name.encode() + b"\0" + b"y" * n_bytes
    packed = zlib.compress(raw, 9)
    if version == 4:
        body = synchsafe(len(raw) & 0xFFFFFFF) + packed
        return b"TXXX" + synchsafe(len(body)) + b"\0\x09" + body
    body = len(raw).to_bytes(4, "big") + packed
    return b"TXXX" + len(body).to_bytes(4, "big") + b"\0\x80" + body


def bomb(folder: Path, *sizes: int, version: int = 4) -> Path:
    frames = b"".join(packed_frame(str(i), size, version) for i, size in enumerate(sizes))
    path = folder / "bomb.mp3"
    tag = b"ID3" + bytes([version]) + b"\0\0" + synchsafe(len(frames)) + frames
    path.write_bytes(tag + sound("mp3"))
    return path


@pytest.mark.parametrize("version", [3, 4])
def test_what_unpacks_to_little_is_read(tmp_path: Path, version: int) -> None:
    tags = read_tags(bomb(tmp_path, 10, 100_000, version=version)).tags
    assert [tag.field for tag in tags] == ["TXXX:0", "TXXX:1"]
    assert tags[0].value == "y" * 10
    assert tags[1].value.startswith("(text, 100000 bytes, ")


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize(
    "sizes", [pytest.param((200 * MB,), marks=pytest.mark.slow), (20 * MB, 20 * MB)]
)
def test_what_unpacks_to_much_is_refused(
    tmp_path: Path, version: int, sizes: tuple[int, ...]
) -> None:
    path = bomb(tmp_path, *sizes, version=version)
    assert path.stat().st_size < MB
    with pytest.raises(LibraryError, match=r"bomb\.mp3: its tags cannot be read \(its frames unp"):
        read_tags(path)


@pytest.mark.slow
def test_one_file_takes_nothing_from_the_next(tmp_path: Path) -> None:
    path = bomb(tmp_path, 20 * MB)
    for _ in range(3):
        assert len(read_tags(path).tags) == 1


def test_a_stream_that_breaks_off_is_left_out_as_before(tmp_path: Path) -> None:
    path = bomb(tmp_path, 50_000)
    data = path.read_bytes()
    at = data.index(b"TXXX") + 20
    path.write_bytes(data[:at] + b"\xff\xff\xff" + data[at + 3 :])
    assert read_tags(path).tags == ()


_PEAK = """
import resource, sys
from genrescope.errors import LibraryError
from genrescope.library.tags.reading import read_tags
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_tags(sys.argv[1])
except LibraryError:
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="measures memory the POSIX way")
def test_it_takes_little_memory(tmp_path: Path) -> None:
    path = bomb(tmp_path, 400 * MB)
    command = [sys.executable, "-c", _PEAK, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert int(done.stdout) < 120


def test_tags_that_were_not_packed_are_as_they_were(tmp_path: Path) -> None:
    path = make_song(tmp_path / "a.mp3", "mp3", title="T", artist="A")
    assert {str(frame) for frame in ID3(path).values()} >= {"T", "A"}
