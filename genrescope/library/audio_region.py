"""The hash of a file's sound as it is stored, whatever its tags say.

What each container holds besides its tags is hashed: of mp3 and other bare streams all between the
tags at both ends, of FLAC the stream's description and its frames, of Ogg all packets but the
comments, of MP4 the media data, of WAV and AIFF the format and the samples, of ASF the data
object, of DSF the format and the data. Of any other container it is the whole file.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

from genrescope.errors import LibraryError

_BLOCK = 1 << 20
_MOST_HEADER = 1 << 28  # bytes; comments hold pictures
_DSF_HEADER = 28  # bytes; it holds the place of the tag
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")


def audio_hash(path: str | bytes | os.PathLike[str]) -> bytes:
    """A digest of 20 bytes (BLAKE2b) of the audio region of a file.

    Raises:
        LibraryError: the file cannot be read, or is empty.
    """
    name = os.fsdecode(path)
    digest = hashlib.blake2b(digest_size=20)
    try:
        with Path(name).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            for chunk in _region(file, size):
                digest.update(chunk)
    except OSError as error:
        raise LibraryError(name, f"it cannot be read ({error.strerror})") from error
    if size == 0:
        raise LibraryError(name, "it is empty (0 bytes)", "Copy it again.")
    return digest.digest()


def _region(file: BinaryIO, size: int) -> Iterator[bytes]:
    start = min(_after_id3(file), size)  # a tag may claim more than there is
    file.seek(start)
    head = file.read(16)
    if head[:4] == b"fLaC":
        yield from _flac(file, start, _before_trailers(file, start, size))
    elif head[:4] == b"OggS":
        yield from _ogg(file, start)
    elif head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide"):
        yield from _mp4(file, start, size)
    elif head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        yield from _chunks(file, start + 12, size, "little", (b"fmt ", b"data"))
    elif head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        yield from _chunks(file, start + 12, size, "big", (b"COMM", b"SSND"))
    elif head == _ASF_HEADER:
        yield from _asf(file, start, size)
    elif head[:4] == b"DSD ":
        yield from _dsf(file, start + _DSF_HEADER, size)
    else:
        yield from _bytes(file, start, _before_trailers(file, start, size))


def _bytes(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    file.seek(start)
    left = end - start
    while left > 0 and (chunk := file.read(min(_BLOCK, left))):
        left -= len(chunk)
        yield chunk


def _after_id3(file: BinaryIO) -> int:
    """Where ID3v2 tags at the beginning end; there may be several."""
    start = 0
    while True:
        file.seek(start)
        head = file.read(10)
        if len(head) < 10 or head[:3] != b"ID3" or max(head[6:10]) > 127:
            return start
        length = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        start += 10 + length + (10 if head[5] & 0x10 else 0)


def _before_trailers(file: BinaryIO, start: int, size: int) -> int:
    """Where the tags at the end begin: ID3v1, Lyrics3, APEv2, in any order."""
    end = size
    while True:
        file.seek(max(start, end - 160))
        tail = file.read(end - max(start, end - 160))
        length = _trailer(tail)
        if length == 0 or end - length < start:
            return end
        end -= length


def _trailer(tail: bytes) -> int:
    """Bytes of the tag that a file ends with; 0 where it ends with none."""
    if len(tail) >= 32 and tail[-32:-24] == b"APETAGEX":  # first: its header holds "TAG", too
        has_header = tail[-9] & 0x80
        return int.from_bytes(tail[-20:-16], "little") + (32 if has_header else 0)
    if len(tail) >= 128 and tail[-128:-125] == b"TAG":
        return 128
    if tail[-9:] == b"LYRICS200" and tail[-15:-9].isdigit():
        return int(tail[-15:-9]) + 15
    return 0


def _flac(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    at, last = start + 4, False
    while not last and at + 4 <= end:
        file.seek(at)
        head = file.read(4)
        last, kind = bool(head[0] & 0x80), head[0] & 0x7F
        length = int.from_bytes(head[1:4], "big")
        if kind == 0:
            yield file.read(length)
        at += 4 + length
    yield from _bytes(file, at, end)


def _ogg(file: BinaryIO, start: int) -> Iterator[bytes]:
    """Packets of all streams in the order of their pages, but for those with comments."""
    file.seek(start)
    streams: dict[bytes, _OggHeaders] = {}
    while len(head := file.read(27)) == 27 and head[:4] == b"OggS":
        lacing = file.read(head[26])
        body = file.read(sum(lacing))
        serial, begins = head[14:18], bool(head[5] & 2)
        if begins:
            streams[serial] = _OggHeaders()
        stream = streams.get(serial)
        if stream is None or stream.done:
            yield body
        else:
            yield from stream.page(lacing, body)
    for stream in streams.values():
        yield stream.unfinished


class _OggHeaders:
    """The packets at the beginning of a logical stream, one of which holds comments."""

    def __init__(self) -> None:
        self.done = False
        self._packet = bytearray()
        self._n = 0
        self._flac = False

    @property
    def unfinished(self) -> bytes:
        """A packet that was begun before the first of music and had no end."""
        return b"" if self.done else bytes(self._packet)

    def page(self, lacing: bytes, body: bytes) -> Iterator[bytes]:
        at = 0
        for length in lacing:
            self._packet += body[at : at + length]
            at += length
            if length == 255:
                continue
            packet = bytes(self._packet)
            self._packet.clear()
            if not self._is_comment(packet):
                yield packet
            self._n += 1
        # What is no header, or far too large for one, is passed on as it comes.
        self.done = self.done or len(self._packet) > _MOST_HEADER
        if self.done:
            yield bytes(self._packet)

    def _is_comment(self, packet: bytes) -> bool:
        """Whether a packet is about the music, not of it; notes when no more can come."""
        if self._n == 0:
            self._flac = packet[:5] == b"\x7fFLAC"
            return False
        if self._flac:
            self.done = packet[:1] == b"\xff"  # the first frame: all headers are behind
            return not self.done
        self.done = self._n >= 2
        known = (b"\x03vorbis", b"OpusTags", b"\x81theora")
        # Speex marks its comments by their place alone.
        return packet.startswith(known) or self._n == 1


def _mp4(file: BinaryIO, start: int, size: int) -> Iterator[bytes]:
    at = start
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length, header = int.from_bytes(head[:4], "big"), 8
        if length == 1:
            length, header = int.from_bytes(head[8:16], "big"), 16
        elif length == 0:
            length = size - at
        if length < header:
            return
        if head[4:8] == b"mdat":
            yield from _bytes(file, at + header, min(at + length, size))
        at += length


def _chunks(
    file: BinaryIO,
    at: int,
    size: int,
    order: Literal["little", "big"],
    wanted: tuple[bytes, ...],
) -> Iterator[bytes]:
    while at + 8 <= size:
        file.seek(at)
        head = file.read(8)
        length = int.from_bytes(head[4:8], order)
        if head[:4] in wanted:
            if length == 0xFFFFFFFF:  # RF64: the true length stands elsewhere
                length = size - at - 8
            yield from _bytes(file, at + 8, min(at + 8 + length, size))
        at += 8 + length + (length & 1)


def _asf(file: BinaryIO, at: int, size: int) -> Iterator[bytes]:
    while at + 24 <= size:
        file.seek(at)
        head = file.read(24)
        length = int.from_bytes(head[16:24], "little")
        if length < 24:
            return
        if head[:16] == _ASF_DATA:
            yield from _bytes(file, at + 24, min(at + length, size))
        at += length


def _dsf(file: BinaryIO, at: int, size: int) -> Iterator[bytes]:
    for _ in range(2):  # fmt and data; behind them is the tag
        file.seek(at)
        length = int.from_bytes(file.read(12)[4:], "little")
        if length < 12:
            return
        yield from _bytes(file, at, min(at + length, size))
        at += length
