"""Pages of Ogg (RFC 3533), and the links of a chain: whole files, one behind the other.

Joined files and recordings of internet radio are such chains. FFmpeg takes every link for more of
the first, and gives noise where the coding differs; so links are told apart here.
"""

from __future__ import annotations

import re

from genrescope.audio.reader import MAX_CHANNELS, SR_RANGE_HZ
from genrescope.audio.source import Input

_LARGEST_PAGE = 27 + 255 + 255 * 255  # bytes
_MARK = b"OggS\0"
_READ = 1 << 20  # bytes at a time
_MOST_LINKS = 20_000
# The first page of a stream: its flag, position 0 (or none), a serial number, page number 0.
_FIRST_PAGE = re.compile(rb"OggS\0[\x02\x06](?:\0{8}|\xff{8})....\0\0\0\0", re.DOTALL)
_HEADER = 27  # bytes of a page before its lacing


def links(file: Input) -> list[Input]:
    """The links of a chain, or `file` alone. Streams that play at the same time are one link."""
    starts = _link_starts(file)
    if len(starts) < 2:
        return [file]
    return [file.part(a, b) for a, b in zip(starts, [*starts[1:], file.size], strict=True)]


def _link_starts(file: Input) -> list[int]:
    """Where first pages stand that do not follow right upon another first page."""
    starts: list[int] = []
    page, offset, follows_first = -1, 0, False
    while offset < file.size and len(starts) < _MOST_LINKS:
        file.seek(offset)
        header = file.read(_HEADER)
        if header[:5] != _MARK:
            # The page before may be cut, and another link begin within what it should be.
            page, offset, follows_first = offset, _next_page(file, page + 1), False
            continue
        is_first = _FIRST_PAGE.match(header) is not None
        if is_first and not follows_first:
            starts.append(offset)
        follows_first = is_first
        lacing = file.read(header[-1])  # the header ends with their number
        page, offset = offset, offset + len(header) + len(lacing) + sum(lacing)
    return starts


def _next_page(file: Input, offset: int) -> int:
    """Where the next page begins after damage; the size of the file where none does."""
    while offset < file.size:
        at = file.peek(offset, _READ + len(_MARK) - 1).find(_MARK)
        if at >= 0:
            return offset + at
        offset += _READ
    return file.size


def rate_and_channels(chain: list[Input]) -> tuple[int | None, int | None]:
    """Highest sample rate in Hz and most channels of a chain's links; None where none says."""
    rates, channels = [], []
    for link in chain:
        head = link.peek(0, 256)
        if (at := head.find(b"\x01vorbis")) >= 0 and len(head) >= at + 16:
            rates.append(int.from_bytes(head[at + 12 : at + 16], "little"))
            channels.append(head[at + 11])
        elif (at := head.find(b"OpusHead")) >= 0 and len(head) >= at + 10:
            rates.append(48_000)
            channels.append(head[at + 9])
    # What no recording has comes from a damaged header, and its link will be refused.
    low, high = SR_RANGE_HZ
    return (
        max((rate for rate in rates if low <= rate <= high), default=None),
        max((n for n in channels if 1 <= n <= MAX_CHANNELS), default=None),
    )


def ogg_is_cut(file: Input) -> bool:
    """Whether the last page is incomplete, or the packet in it.

    A stream should end with a page that says so, but Android and others never write one.
    """
    tail = file.peek(max(0, file.size - 2 * _LARGEST_PAGE), 2 * _LARGEST_PAGE)
    page = tail.rfind(_MARK)
    header = tail[page : page + _HEADER]
    if page < 0 or len(header) < _HEADER:
        return True
    lacing = tail[page + _HEADER : page + _HEADER + header[26]]
    behind = len(tail) - page - _HEADER - len(lacing) - sum(lacing)
    if len(lacing) < header[26] or behind < 0:
        return True
    if header[5] & 4:
        return False
    # Bytes behind it may be a download that was given its size first.
    return behind > _LARGEST_PAGE // 4 or (bool(lacing) and lacing[-1] == 255)
