"""Tags around a recording, which are none of its sound.

A tag of any size may stand before and behind the sound of any format. Decoders know some of them,
in some formats, up to some size, and take the others for damage; so tags are taken off first.
Sources: id3.org (ID3v1, ID3v2.4), the APEv2 specification of Hydrogenaudio, Lyrics3 v2.00.
"""

from __future__ import annotations

from genrescope.audio.source import Input

_MOST_TAGS = 16  # one behind the other; nobody writes more
_ID3V1, _ID3V1_EXTENDED = 128, 227  # bytes
_SLACK = 64  # bytes by which the size of lyrics may be wrong
_IS_HEADER = 1 << 29  # of an APEv2 tag's flags
_LONGEST_OLD_LYRICS = 5100 + 11 + 9  # bytes of a Lyrics3 v1 tag with its two marks


def without_tags(file: Input) -> Input:
    """The recording between its tags; `file` itself where it has none."""
    start, end = 0, file.size
    for _ in range(_MOST_TAGS):
        length = _tag_before(file.peek(start, 32))
        if not 0 < length < end - start:
            break
        start += length
    for _ in range(_MOST_TAGS):
        length = _tag_behind(file, end)
        if not 0 < length < end - start:
            break
        end -= length
    return file if (start, end) == (0, file.size) else file.part(start, end)


def _tag_before(head: bytes) -> int:
    """Length of the ID3v2 or APEv2 tag that begins here, or 0."""
    if head[:8] == b"APETAGEX" and len(head) == 32:
        size, flags = (int.from_bytes(head[i : i + 4], "little") for i in (12, 20))
        return 32 + size if flags & _IS_HEADER else 0
    if len(head) < 10 or head[:3] != b"ID3" or 0xFF in head[3:5]:
        return 0
    footer = 10 if head[5] & 0x10 else 0
    return 10 + _synchsafe(head[6:10]) + footer


def _tag_behind(file: Input, end: int) -> int:
    """Length of the tag that ends at `end`, or 0."""
    tail = file.peek(max(0, end - 32), min(end, 32))
    if tail[:8] == b"APETAGEX":
        size, flags = (int.from_bytes(tail[i : i + 4], "little") for i in (12, 20))
        return size + (32 if flags >> 31 else 0)  # the size leaves out the header
    if tail[-10:-7] == b"3DI":
        return 20 + _synchsafe(tail[-4:])
    if tail[-9:] == b"LYRICS200" and tail[-15:-9].isdigit():
        return _lyrics(file, end, int(tail[-15:-9]) + 15 + _SLACK)
    if tail[-9:] == b"LYRICSEND":
        return _lyrics(file, end, _LONGEST_OLD_LYRICS)
    if end >= _ID3V1 and file.peek(end - _ID3V1, 3) == b"TAG":
        before = end - _ID3V1 - _ID3V1_EXTENDED
        extended = before >= 0 and file.peek(before, 4) == b"TAG+"
        return _ID3V1 + (_ID3V1_EXTENDED if extended else 0)
    return 0


def _lyrics(file: Input, end: int, longest: int) -> int:
    """Length of the lyrics that end at `end`, by their first mark; writers miscount."""
    lyrics = file.peek(max(0, end - longest), min(end, longest))
    begin = lyrics.find(b"LYRICSBEGIN")
    return len(lyrics) - begin if begin >= 0 else 0


def _synchsafe(number: bytes) -> int:
    """A number of seven bits a byte."""
    value = 0
    for byte in number:
        value = value << 7 | byte & 0x7F
    return value
