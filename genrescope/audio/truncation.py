"""Is a file cut short? What each container says about its own end.

FFmpeg and libsndfile decode what there is and seldom say that something is missing, so the
containers are asked: RFC 3533 (Ogg pages), RFC 8794 and 9559 (EBML, Matroska), ISO 14496-12
(MP4 boxes), ISO 11172-3 (MPEG audio headers), ISO 13818-1 (transport and program streams),
Microsoft's RIFF and Advanced Systems Format, Adobe's FLV.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from genrescope.audio.mpeg import frame_length
from genrescope.audio.ogg import ogg_is_cut
from genrescope.audio.source import Input

_STREAMING = 0x7FFF_0000  # writers to a pipe leave a size of about 2 or 4 GiB in the header
_MAX_ELEMENTS = 300_000  # boxes or blocks looked at; a file of nothing but headers must not stall


def pcm_is_cut(sndfile_log: str) -> bool:
    """Whether libsndfile found less sound than the header promises (wav, aiff, au, w64, rf64)."""
    # A short RIFF or FORM chunk alone lacks trailing tags, not sound.
    sizes = re.findall(r"(?m)^\s*(?!RIFF|FORM)\S.*: (\d+) \(should be (\d+)\)", sndfile_log)
    return any(int(actual) < int(declared) < _STREAMING for declared, actual in sizes)


def container_is_cut(file: Input, container: str, *, last_packet: bytes) -> bool:
    """Whether the file ends before its container does.

    Args:
        file: the whole file.
        container: FFmpeg's name of the demuxer.
        last_packet: the last packet of sound the demuxer found.
    """
    if container in ("mp3", "aac"):
        return len(last_packet) < frame_length(last_packet)
    look = _LOOKS.get(container.split(",")[0])
    return look is not None and look(file)


def _boxes_are_cut(file: Input) -> bool:
    offset, kind = 0, b""
    for _ in range(_MAX_ELEMENTS):
        if offset >= file.size:
            break
        header = file.peek(offset, 16)
        if len(header) < 8:  # too little for a box, so no sound is lost with it
            return False
        size = int.from_bytes(header[:4], "big")
        if size == 1:
            size = int.from_bytes(header[8:16], "big")
        elif size == 0:  # up to the end of the file
            return False
        kind = header[4:8]
        if size < 8:  # no box: junk after the end
            return False
        offset += size
    return offset > file.size and kind in _BOXES  # else a tag of another format stands last


_BOXES = {
    *(b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"mfra", b"sidx", b"free", b"skip", b"wide"),
    *(b"udta", b"meta", b"uuid"),
}


_EBML_SEGMENT = 0x18538067
# Segment, Cluster, BlockGroup: walked into, because a browser leaves their sizes open.
_EBML_MASTERS = {_EBML_SEGMENT, 0x1F43B675, 0xA0}


class _Element(NamedTuple):
    """Head of an EBML element: its ID, where its body begins, and the body's size or None."""

    ident: int
    body: int
    size: int | None


def _element(file: Input, offset: int) -> _Element | None:
    """The element that begins here, or None where the file ends before its head does."""
    header = file.peek(offset, 12)
    id_length = 9 - header[0].bit_length() if header else 9
    if id_length > 4 or len(header) < id_length + 1:
        return None
    size_length = 9 - header[id_length].bit_length()
    head_length = id_length + size_length
    if size_length > 8 or len(header) < head_length:
        return None
    mask = (1 << 7 * size_length) - 1
    size = int.from_bytes(header[id_length:head_length], "big") & mask
    ident = int.from_bytes(header[:id_length], "big")
    return _Element(ident, offset + head_length, None if size == mask else size)


def segment_has_size(file: Input) -> bool:
    """Whether a Matroska or WebM file was finished, so that its length is that of what it holds."""
    head = _element(file, 0)
    if head is None or head.size is None:
        return False
    segment = _element(file, head.body + head.size)
    return segment is not None and segment.ident == _EBML_SEGMENT and segment.size is not None


def _ebml_is_cut(file: Input) -> bool:
    offset, end = 0, file.size
    for _ in range(_MAX_ELEMENTS):
        if offset >= end:
            break
        element = _element(file, offset)
        if element is None:
            return True
        ident, offset, size = element
        if ident not in _EBML_MASTERS:
            offset += size or 0
        elif size is not None:
            # A known size tells at once; within it the elements chain all the same.
            if offset + size > file.size:
                return True
            if ident == _EBML_SEGMENT:
                end = offset + size  # what stands behind it is no part of it
            else:
                offset += size
    return offset > file.size


def _riff_is_cut(file: Input) -> bool:
    """Whether a chunk goes beyond the end: of AVI, where several RIFF chunks may follow."""
    offset = 0
    for _ in range(_MAX_ELEMENTS):
        header = file.peek(offset, 8)
        if len(header) < 8:
            return False
        size = int.from_bytes(header[4:], "little")
        is_known = 0 < size < _STREAMING
        if header[:4] in (b"RIFF", b"LIST") and not is_known:
            offset += 12  # its size was never filled in: only the chunks within can tell
        else:
            offset += 8 + size + size % 2
        if offset > file.size + 1:
            return header[:4].isalnum()  # else junk behind the end
    return False


def _wav_is_cut(file: Input) -> bool:
    return _chunk_is_cut(file, 12, order="little", width=4)


def _caf_is_cut(file: Input) -> bool:
    return _chunk_is_cut(file, 8, order="big", width=8)


def _chunk_is_cut(file: Input, offset: int, *, order: Literal["little", "big"], width: int) -> bool:
    """Whether the chunk of sound goes beyond the end; what stands behind it may be missing."""
    for _ in range(_MAX_ELEMENTS):
        header = file.peek(offset, 4 + width)
        if len(header) < 4 + width:
            return True  # before it came to the sound
        size = int.from_bytes(header[4:], order)
        if header[:4] == b"data":
            is_known = 0 < size < (_STREAMING if width == 4 else 1 << 63)
            return is_known and offset + len(header) + size > file.size
        offset += len(header) + size + (size % 2 if width == 4 else 0)
    return False


_ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_END_MARK = 32  # bytes at most, behind the packets of a live stream
_MAX_ASF_HEADER = 1 << 24


def _asf_is_cut(file: Input) -> bool:
    """By the size of the data object; of a live stream, which has none, by its last packet."""
    header_size = int.from_bytes(file.peek(16, 8), "little")
    header = file.peek(0, min(header_size, _MAX_ASF_HEADER))
    data = file.peek(header_size, 24)
    if data[:16] != _ASF_DATA:
        return len(data) < 24
    size = int.from_bytes(data[16:24], "little")
    if size > 50 and header_size + size > file.size:
        return True
    properties = header.find(_ASF_PROPERTIES)
    packet = int.from_bytes(header[properties + 92 : properties + 96], "little")
    is_live = properties >= 0 and header[properties + 88] & 1
    if not (is_live and packet):
        return False
    return (file.size - header_size - 50) % packet > _ASF_END_MARK


def _flv_is_cut(file: Input) -> bool:
    """A tag is followed by its size, so from the end one must come upon a tag."""
    size = int.from_bytes(file.peek(file.size - 4, 4), "big")
    tag = file.peek(file.size - 4 - size, 4) if 11 <= size <= file.size - 13 else b""
    whole = len(tag) == 4 and tag[0] & 0x1F in (8, 9, 18)
    return not (whole and int.from_bytes(tag[1:], "big") + 11 == size)


_TS_SYNC = 0x47


def _transport_is_cut(file: Input) -> bool:
    """Packets are of 188 bytes, on discs with 4 in front, over the air with 16 behind."""
    head = file.peek(0, 4096)
    for length, lead in ((188, 0), (192, 4), (204, 0)):
        syncs = head[lead::length]
        if len(syncs) > 1 and set(syncs) == {_TS_SYNC}:
            return file.size % length != 0
    return False


_PS_TAIL = 1 << 18  # bytes; a pack is much shorter
_PS_PACK, _PS_END, _PS_PREFIX = b"\0\0\1\xba", b"\0\0\1\xb9", b"\0\0\1"


def _program_is_cut(file: Input) -> bool:
    """Whether the last packet of a program stream (MPEG, VOB) is whole."""
    tail = file.peek(max(0, file.size - _PS_TAIL), _PS_TAIL)
    at = tail.rfind(_PS_PACK)
    while at >= 0 and tail[at : at + 3] == _PS_PREFIX:
        head = tail[at : at + 14]
        if head[:4] == _PS_END:
            return False
        if len(head) < 6:
            return True
        if head[:4] != _PS_PACK:
            at += 6 + int.from_bytes(head[4:6], "big")
        elif head[4] >> 6 == 1:  # MPEG-2
            at += 14 + (head[13] & 7 if len(head) == 14 else 0)
        else:
            at += 12
    return at > len(tail)


_LOOKS = {
    "ogg": ogg_is_cut,
    "mov": _boxes_are_cut,
    "matroska": _ebml_is_cut,
    "avi": _riff_is_cut,
    "wav": _wav_is_cut,
    "caf": _caf_is_cut,
    "asf": _asf_is_cut,
    "flv": _flv_is_cut,
    "mpegts": _transport_is_cut,
    "mpeg": _program_is_cut,
}
