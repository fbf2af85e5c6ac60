"""Write fields into ID3v2.2 tags, which mutagen only reads; every other frame stays byte for byte.

Source: id3.org, "ID3 tag version 2.2.0": a frame is a name of three letters, its length in three
bytes, and what it holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mutagen._util import insert_bytes

from genrescope.errors import LibraryError
from genrescope.library.tags.fields import BPM, GENRE, KEY

_HEAD, _FRAME_HEAD = 10, 6  # bytes
_UNSYNCHRONISED, _COMPRESSED = 0x80, 0x40
_PADDING = 1 << 10
_NAME = re.compile(rb"[A-Z0-9]{3}")
_NAMES = {GENRE: b"TCO", BPM: b"TBP", KEY: b"TKE"}
_OWN = b"TXX"


def edit(copy: Path, changes: Mapping[str, Sequence[str]]) -> None:
    """Set fields of the ID3v2.2 tag that a file begins with.

    Args:
        copy: the file, which is written in place.
        changes: from a field to its value; none removes it.

    Raises:
        LibraryError: the tag is compressed or damaged, or a field has several values.
    """
    name = str(copy)
    with copy.open("r+b") as file:
        head = file.read(_HEAD)
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        body = file.read(size)
        if head[5] & _COMPRESSED or len(body) < size:
            raise LibraryError(name, "its tags of ID3v2.2 are compressed or damaged")
        if head[5] & _UNSYNCHRONISED:
            body = body.replace(b"\xff\x00", b"\xff")
        for meaning, values in changes.items():
            if len(values) > 1:
                raise LibraryError(name, f"its tags are of ID3v2.2, which holds one {meaning}")
        kept = [frame for frame in _frames(body, name) if not any(_is(frame, x) for x in changes)]
        new = b"".join([*kept, *(_frame(x, values[0]) for x, values in changes.items() if values)])
        room = size if len(new) <= size else len(new) + _PADDING
        if room > size:
            insert_bytes(file, room - size, _HEAD + size)
        length = bytes(room >> shift & 0x7F for shift in (21, 14, 7, 0))
        file.seek(0)
        file.write(head[:5] + b"\x00" + length + new.ljust(room, b"\x00"))


def _frames(body: bytes, name: str) -> Iterator[bytes]:
    at = 0
    while _NAME.match(body, at):
        length = _FRAME_HEAD + int.from_bytes(body[at + 3 : at + 6], "big")
        if at + length > len(body):
            raise LibraryError(name, "its tags of ID3v2.2 are compressed or damaged")
        yield body[at : at + length]
        at += length
    if body[at:].strip(b"\x00"):
        raise LibraryError(name, "its tags of ID3v2.2 are compressed or damaged")


def _is(frame: bytes, meaning: str) -> bool:
    if meaning in _NAMES:
        return frame.startswith(_NAMES[meaning])
    return frame.startswith(_OWN) and _description(frame[_FRAME_HEAD:]) == meaning.upper()


def _description(content: bytes) -> str:
    if content[:1] == b"\x00":
        return content[1:].partition(b"\x00")[0].decode("latin-1")
    return content[1:].decode("utf-16", "replace").partition("\x00")[0]


def _frame(meaning: str, value: str) -> bytes:
    own = meaning not in _NAMES
    texts = [meaning.upper(), value] if own else [value]
    if value.isascii():
        content = b"\x00" + "\x00".join(texts).encode("ascii")
    else:
        content = b"\x01" + b"\x00\x00".join(
            b"\xff\xfe" + text.encode("utf-16-le") for text in texts
        )
    return (_OWN if own else _NAMES[meaning]) + len(content).to_bytes(3, "big") + content
