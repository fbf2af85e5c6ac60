"""Containers as trees of parts that can be changed and written again, sizes and checksums right.

Boxes of MP4 (ISO 14496-12), elements of EBML (RFC 8794), chunks of RIFF and IFF, pages of Ogg (RFC
3533), frames of FLAC (RFC 9639) and of MPEG audio (ISO 11172-3, ADTS).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Literal

from genrescope.audio.mpeg import frame_length

Form = Literal["box", "ebml", "little", "big", "wide", "ogg", "flac", "bare"]


@dataclass
class Part:
    """A piece of a file.

    Attributes:
        form: how its head is written.
        name: what its head says of its kind; of frames and pages nothing.
        body: what it holds before its parts.
        parts: what it holds, where it is known to be such.
        claim: a size that its head states in place of the true one.
    """

    form: Form
    name: bytes
    body: bytes
    parts: list[Part] = field(default_factory=list)
    claim: int | None = None


def parsed(data: bytes) -> list[Part]:
    """The parts of a file; none where its structure is not one of those known here."""
    if data[4:8] in (b"ftyp", b"wide", b"moov", b"mdat"):
        return _boxes(data)
    if data[:4] == b"\x1aE\xdf\xa3":
        return _elements(data)
    if data[:4] in (b"RIFF", b"FORM"):
        return _chunks(data, "little" if data[:1] == b"R" else "big", 4)
    if data[:4] in (b"FRM8",):
        return _chunks(data, "wide", 8)
    if data[:4] == b"caff":
        return [Part("bare", b"", data[:8]), *_chunks(data[8:], "wide", 8)]
    if data[:4] == b"OggS":
        return [Part("ogg", b"", page) for page in _pages(data)]
    if data[:4] == b"fLaC":
        return _flac(data)
    if data[:1] == b"\xff" or data[:3] == b"ID3":
        return [Part("bare", b"", frame) for frame in _frames(data)]
    return []


def written(parts: list[Part], *, mend: bool = True) -> bytes:
    """The file that such parts are.

    Args:
        mend: pages and frames get the checksums that their bytes have.
    """
    return b"".join(_written(part, mend) for part in parts)


def _written(part: Part, mend: bool) -> bytes:
    body = part.body + written(part.parts, mend=mend)
    size = len(body) if part.claim is None else part.claim
    match part.form:
        case "box":
            return (size + 8 if part.claim is None else size).to_bytes(4, "big") + part.name + body
        case "ebml":
            return part.name + (1 << 56 | size).to_bytes(8, "big") + body
        case "little" | "big":
            order: Literal["little", "big"] = part.form
            return part.name + size.to_bytes(4, order) + body + bytes(len(body) % 2)
        case "wide":
            return part.name + size.to_bytes(8, "big") + body
        case "ogg" if mend:
            return _mended_page(body)
        case "flac" if mend:
            return _mended_frame(body)
    return body


_BOXES_OF_BOXES = (
    *(b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"udta", b"moof", b"traf", b"mvex"),
    *(b"dinf", b"wave", b"sinf", b"schi"),
)


def _boxes(data: bytes) -> list[Part]:
    found, at = [], 0
    while at + 8 <= len(data):
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        size = size if size >= 8 else len(data) - at
        body = data[at + 8 : at + size]
        inner = name in _BOXES_OF_BOXES
        found.append(Part("box", name, b"" if inner else body, _boxes(body) if inner else []))
        at += size
    return found


_ELEMENTS_OF_ELEMENTS = {
    *(0x1A45DFA3, 0x18538067, 0x1549A966, 0x1654AE6B, 0xAE, 0xE1, 0x1F43B675, 0xA0, 0x1C53BB6B),
    *(0xBB, 0xB7, 0x114D9B74, 0x4DBB, 0x1254C367, 0x7373, 0x67C8, 0x6D80, 0x6240),
}


def _elements(data: bytes) -> list[Part]:
    found, at = [], 0
    while at < len(data):
        n_name = 9 - data[at].bit_length()
        n_size = 9 - data[at + n_name].bit_length() if at + n_name < len(data) else 9
        if n_name > 4 or n_size > 8:
            break
        name = data[at : at + n_name]
        mask = (1 << 7 * n_size) - 1
        size = int.from_bytes(data[at + n_name : at + n_name + n_size], "big") & mask
        at += n_name + n_size
        body = data[at:] if size == mask else data[at : at + size]
        inner = int.from_bytes(name, "big") in _ELEMENTS_OF_ELEMENTS
        found.append(Part("ebml", name, b"" if inner else body, _elements(body) if inner else []))
        at += len(body)
    return found


def _chunks(data: bytes, form: Literal["little", "big", "wide"], width: int) -> list[Part]:
    order: Literal["little", "big"] = "little" if form == "little" else "big"
    found, at = [], 0
    while at + 4 + width <= len(data):
        name = data[at : at + 4]
        size = int.from_bytes(data[at + 4 : at + 4 + width], order)
        at += 4 + width
        body = data[at : at + size]
        if name in (b"RIFF", b"LIST", b"FORM", b"FRM8", b"PROP") and len(body) >= 4:
            found.append(Part(form, name, body[:4], _chunks(body[4:], form, width)))
        else:
            found.append(Part(form, name, body))
        at += len(body) + (len(body) % 2 if width == 4 else 0)
    return found


def _pages(data: bytes) -> Iterator[bytes]:
    starts = [*_all(data, b"OggS\0"), len(data)]
    return (data[a:b] for a, b in pairwise(starts))


def _all(data: bytes, mark: bytes) -> Iterator[int]:
    at = data.find(mark)
    while at >= 0:
        yield at
        at = data.find(mark, at + 1)


def _flac(data: bytes) -> list[Part]:
    """The metadata with its mark, block by block, then frames."""
    found, at, is_last = [Part("bare", b"", data[:4])], 4, False
    while not is_last and at + 4 <= len(data):
        is_last = bool(data[at] & 0x80)
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        found.append(Part("bare", b"", data[at : at + 4 + size]))
        at += 4 + size
    starts = [i for i in _all(data, data[at : at + 2]) if i >= at and _flac_head(data[i:]) > 0]
    return found + [Part("flac", b"", data[a:b]) for a, b in pairwise([*starts, len(data)])]


def _flac_head(frame: bytes) -> int:
    """Bytes of a frame's head before its checksum; 0 where it is none."""
    if len(frame) < 8 or frame[2] >> 4 == 0:
        return 0
    n_number = max(1, 8 - (frame[4] ^ 0xFF).bit_length())
    size, rate = frame[2] >> 4, frame[2] & 15
    return 4 + n_number + {6: 1, 7: 2}.get(size, 0) + {12: 1, 13: 2, 14: 2}.get(rate, 0)


def _frames(data: bytes) -> Iterator[bytes]:
    """Frames of MPEG audio or ADTS, and what stands between them."""
    at = start = 0
    while at < len(data):
        length = frame_length(data[at : at + 7])
        if length and (at + length >= len(data) or frame_length(data[at + length :][:7])):
            if at > start:
                yield data[start:at]
            yield data[at : at + length]
            at = start = at + length
        else:
            at += 1
    if start < len(data):
        yield data[start:]


def _mended_page(page: bytes) -> bytes:
    if len(page) < 27:
        return page
    end = 27 + page[26] + sum(page[27 : 27 + page[26]])
    bare = page[:22] + bytes(4) + page[26:end]
    return page[:22] + _crc(bare, 32, 0x04C1_1DB7).to_bytes(4, "little") + page[26:]


def _mended_frame(frame: bytes) -> bytes:
    head = _flac_head(frame)
    if not 0 < head < len(frame) - 2:
        return frame
    mended = frame[:head] + bytes([_crc(frame[:head], 8, 0x07)]) + frame[head + 1 : -2]
    return mended + _crc(mended, 16, 0x8005).to_bytes(2, "big")


def _crc(data: bytes, n_bits: int, polynomial: int) -> int:
    """A cyclic redundancy check that begins with 0, the highest bit first."""
    table, mask, crc = _crc_table(n_bits, polynomial), (1 << n_bits) - 1, 0
    for byte in data:
        crc = crc << 8 & mask ^ table[crc >> n_bits - 8 ^ byte]
    return crc


@cache
def _crc_table(n_bits: int, polynomial: int) -> tuple[int, ...]:
    table = []
    for value in range(256):
        crc = value << n_bits - 8
        for _ in range(8):
            crc = crc << 1 ^ (polynomial if crc >> n_bits - 1 else 0)
            crc &= (1 << n_bits) - 1
        table.append(crc)
    return tuple(table)
