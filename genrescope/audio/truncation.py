"""Is a file cut short? What each container says about its own end.

FFmpeg and libsndfile decode what there is and seldom say that something is missing, so the
containers are asked: RFC 3533 (Ogg pages), RFC 8794 and 9559 (EBML, Matroska), ISO 14496-12
(MP4 boxes), ISO 11172-3 (MPEG audio headers).
"""

from __future__ import annotations

import re

from genrescope.audio.source import Input

_OGG_PAGE = 27 + 255 + 255 * 255  # bytes, the largest
_STREAMING = 0x7FFF_0000  # writers to a pipe leave a size of about 2 or 4 GiB in the header
_MAX_ELEMENTS = 300_000  # boxes or blocks looked at; a file of nothing but headers must not stall


def pcm_is_cut(sndfile_log: str) -> bool:
    """Whether libsndfile found less sound than the header promises (wav, aiff, au, w64, rf64)."""
    # A short RIFF or FORM chunk alone lacks trailing tags, not sound.
    sizes = re.findall(r"(?m)^\s*(?!RIFF|FORM)\S.*: (\d+) \(should be (\d+)\)", sndfile_log)
    return any(int(actual) < int(said) < _STREAMING for said, actual in sizes)


def container_is_cut(file: Input, container: str, *, last_packet: bytes) -> bool:
    """Whether the file ends before its container does.

    Args:
        file: the whole file.
        container: FFmpeg's name of the demuxer.
        last_packet: the last packet of sound the demuxer found.
    """
    if container == "ogg":
        return _ogg_is_cut(file)
    if container.startswith("mov"):
        return _boxes_are_cut(file)
    if container.startswith("matroska"):
        return _ebml_is_cut(file)
    if container in ("mp3", "aac"):
        return len(last_packet) < mpeg_frame_length(last_packet)
    return False


def has_frame_count(file: Input) -> bool:
    """Whether an mp3 file begins with a Xing, Info or VBRI frame, so that its length is known."""
    start = 0
    head = file.peek(0, 10)
    if head[:3] == b"ID3" and len(head) == 10:
        start = 10 + sum((byte & 0x7F) << 7 * (3 - i) for i, byte in enumerate(head[6:10]))
    first = file.peek(start, 2048)  # some writers pad between the tag and the first frame
    return any(mark in first for mark in (b"Xing", b"Info", b"VBRI"))


def _ogg_is_cut(file: Input) -> bool:
    """The last page must be whole and carry the end-of-stream bit."""
    offset = max(0, file.size - 2 * _OGG_PAGE)
    tail = file.peek(offset, 2 * _OGG_PAGE)
    page = tail.rfind(b"OggS\x00")
    header = tail[page : page + 27]
    if page < 0 or len(header) < 27 or not header[5] & 4:
        return True
    lacing = tail[page + 27 : page + 27 + header[26]]
    return len(lacing) < header[26] or page + 27 + len(lacing) + sum(lacing) > len(tail)


_BOXES = {
    *(b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"mfra", b"sidx", b"free", b"skip", b"wide"),
    *(b"udta", b"meta", b"uuid"),
}


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


# Segment, Cluster, BlockGroup: walked into, because a browser leaves their sizes open.
_EBML_MASTERS = {0x18538067, 0x1F43B675, 0xA0}


def _ebml_is_cut(file: Input) -> bool:
    offset, end = 0, file.size
    for _ in range(_MAX_ELEMENTS):
        if offset >= end:
            break
        header = file.peek(offset, 12)
        id_length = 9 - header[0].bit_length()
        if id_length > 4 or len(header) < id_length + 1:
            return True
        size_length = 9 - header[id_length].bit_length()
        head_length = id_length + size_length
        if size_length > 8 or len(header) < head_length:
            return True
        ident = int.from_bytes(header[:id_length], "big")
        mask = (1 << 7 * size_length) - 1
        size = int.from_bytes(header[id_length:head_length], "big") & mask
        if ident in _EBML_MASTERS:
            # A known size tells at once; within it the elements chain all the same.
            if size != mask and offset + head_length + size > file.size:
                return True
            if size != mask and ident == 0x18538067:
                end = offset + head_length + size  # what stands behind it is no part of it
            elif size != mask:
                offset += size
        else:
            offset += size
        offset += head_length
    return offset > file.size


_MPEG_RATES_HZ = (44_100, 48_000, 32_000)
# kbit/s by (is MPEG-1, layer); index 0 is "free", 15 is forbidden.
_MPEG_KBPS = {
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


def mpeg_frame_length(frame: bytes) -> int:
    """Bytes that the header of an MPEG audio or ADTS frame says it has; 0 where it says none."""
    if len(frame) < 7 or frame[0] != 0xFF or frame[1] & 0xE0 != 0xE0:
        return 0
    layer = 4 - (frame[1] >> 1 & 3)
    if layer == 4:  # ADTS
        return (frame[3] & 3) << 11 | frame[4] << 3 | frame[5] >> 5
    version = frame[1] >> 3 & 3  # 3: MPEG-1, 2: MPEG-2, 0: MPEG-2.5
    bitrate, rate = frame[2] >> 4, frame[2] >> 2 & 3
    if version == 1 or bitrate in (0, 15) or rate == 3:
        return 0
    bps = 1000 * _MPEG_KBPS[version == 3, layer][bitrate]
    sr = _MPEG_RATES_HZ[rate] >> {3: 0, 2: 1, 0: 2}[version]
    padding = frame[2] >> 1 & 1
    if layer == 1:
        return (12 * bps // sr + padding) * 4
    samples = 576 if layer == 3 and version != 3 else 1152
    return samples // 8 * bps // sr + padding
