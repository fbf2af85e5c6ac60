"""Three places of a long recording, cut out of its bytes as a recording of its own.

What is cut is whole: samples of wav, frames of FLAC (RFC 9639) and of MPEG audio (ISO 11172-3). So
it needs no decoder, and no more of the file than its head and the places themselves. Wherever
anything is not as it should be, there is no excerpt, and the recording is to be read whole.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from genrescope.audio.mpeg import MpegFrame, mpeg_frame
from genrescope.audio.source import Input
from genrescope.audio.tags import without_tags

N_PLACES = 3
"""In the middle of the first, second and last third."""

# A header may claim anything; what no recording has is not looked through.
_MOST_BYTES = 1 << 28  # of all places
_MOST_FLAC_BYTES = 1 << 26
_MOST_FLAC_HEADS = 20_000  # in a place
_MOST_MPEG_BYTES_PER_S = 80_000
_MOST_CHUNKS = 64  # before the sound
_HEAD = 4096  # bytes within which the first MPEG frame must begin; it is shorter than that


@dataclass(frozen=True)
class Excerpt:
    """Places of a recording.

    Attributes:
        data: a recording that holds them, one behind the other.
        duration_s: length of the whole recording. For MPEG audio whose first frame does not say
            it, by the mean rate of the places.
    """

    data: bytes
    duration_s: float


def cut_excerpt(file: Input, seconds: float) -> Excerpt | None:
    """`N_PLACES` places of a recording that have so many seconds together.

    In wav they have them to the sample. Of FLAC and MPEG audio so many bytes are read as that time
    takes on average, so that loud places may hold a little less of it and quiet ones more.

    Returns:
        None where the recording is no longer than that, or of another format, or damaged.

    Raises:
        AudioError: it cannot be read.
    """
    sound = without_tags(file)
    file.check()
    head = sound.peek(0, 12)
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        found = _of_wav(sound, seconds)
    elif head[:4] == b"fLaC":
        found = _of_flac(sound, seconds)
    else:
        found = _of_mpeg(sound, seconds)
    sound.check()
    return found


def place_starts(length: int, each: int) -> list[int]:
    """Where places of a length begin in something longer."""
    return [(2 * i + 1) * length // (2 * N_PLACES) - each // 2 for i in range(N_PLACES)]


_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_SAMPLE_BY_SAMPLE = (_PCM, _FLOAT, _ALAW, _MULAW)


def _of_wav(file: Input, seconds: float) -> Excerpt | None:
    at, form, size = 12, b"", 0
    for _ in range(_MOST_CHUNKS):
        header = file.peek(at, 8)
        size = int.from_bytes(header[4:], "little")
        if len(header) < 8 or header[:4] == b"data":
            break
        if header[:4] == b"fmt ":
            form = file.peek(at + 8, min(size, 40))
        at += 8 + size + size % 2
    begin = at + 8
    if header[:4] != b"data" or len(form) < 16 or begin + size > file.size:
        return None
    kind, n_channels, sr, _, align, bits = struct.unpack("<HHIIHH", form[:16])
    if kind == _EXTENSIBLE:
        kind = int.from_bytes(form[24:26], "little")
    if kind not in _SAMPLE_BY_SAMPLE or not sr or not 0 < align == n_channels * -(-bits // 8):
        return None
    length, each = size // align, round(seconds * sr / N_PLACES)
    if not 0 < N_PLACES * each < length or N_PLACES * each * align > _MOST_BYTES:
        return None
    starts = [begin + align * start for start in place_starts(length, each)]
    data = b"".join(file.peek(start, each * align) for start in starts)
    body = b"WAVE" + _chunk(b"fmt ", form) + _chunk(b"data", data)
    return Excerpt(_chunk(b"RIFF", body), length / sr)


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + len(body).to_bytes(4, "little") + body + bytes(len(body) % 2)


@dataclass(frozen=True)
class _FlacFrame:
    """Where a frame begins in bytes, and which samples it holds."""

    at: int
    position: int
    n_samples: int


def _of_flac(file: Input, seconds: float) -> Excerpt | None:
    info = file.peek(8, 34)
    if len(info) < 34 or file.peek(4, 1)[0] & 0x7F:  # STREAMINFO always stands first
        return None
    at = 4
    for _ in range(_MOST_CHUNKS):
        header = file.peek(at, 4)
        if len(header) < 4:
            return None
        at += 4 + int.from_bytes(header[1:], "big")
        if header[0] & 0x80:
            break
    else:
        return None
    sr = int.from_bytes(info[10:13], "big") >> 4
    length = int.from_bytes(info[13:18], "big") & (1 << 36) - 1
    size = file.size - at
    if not sr or length <= seconds * sr or size <= 0:
        return None
    each = int(size * seconds * sr / length / N_PLACES)
    if each * N_PLACES > _MOST_FLAC_BYTES:
        return None
    frames = []
    for start in place_starts(size, each):
        data = file.peek(at + start, each)
        place = _chained(list(_flac_frames(data, info)))
        if place is None:
            return None
        first, last = place
        frames.append(data[first.at : last.at])
    # Of unknown length: libFLAC would fill the gaps between the frames' numbers with silence, and
    # what does not know its length is read by FFmpeg, which passes over them.
    kinds = int.from_bytes(info[10:18], "big") >> 36 << 36
    info = info[:4] + bytes(6) + kinds.to_bytes(8, "big") + bytes(16)
    return Excerpt(b"fLaC\x80\0\0\x22" + info + b"".join(frames), length / sr)


def _chained(frames: list[_FlacFrame]) -> tuple[_FlacFrame, _FlacFrame] | None:
    """First and last of the frames that have a neighbour; others only look like frames."""
    by_position = {frame.position for frame in frames}
    begin = [f for f in frames if f.position + f.n_samples in by_position]
    ends = {f.position + f.n_samples for f in frames}
    end = [f for f in frames if f.position in ends]
    if not begin or not end or begin[0].at >= end[-1].at:
        return None
    return begin[0], end[-1]


_FLAC_SYNC = re.compile(rb"\xff[\xf8\xf9]")
_FLAC_LONGEST_HEADER = 16


def _flac_frames(data: bytes, info: bytes) -> Iterator[_FlacFrame]:
    """What looks like the head of a frame, checksum included."""
    fixed_size = int.from_bytes(info[2:4], "big")
    for match in islice(_FLAC_SYNC.finditer(data), _MOST_FLAC_HEADS):
        head = data[match.start() : match.start() + _FLAC_LONGEST_HEADER]
        if len(head) < _FLAC_LONGEST_HEADER or head[3] & 1:
            continue
        n_number = 8 - (head[4] ^ 0xFF).bit_length()  # leading ones: bytes of the number
        if n_number in (1, 8) or any(byte >> 6 != 2 for byte in head[5 : 4 + n_number]):
            continue
        end = 4 + max(1, n_number)
        number = head[4] & 0xFF >> n_number + 1 if n_number else head[4]
        for byte in head[5:end]:
            number = number << 6 | byte & 0x3F
        code = head[2] >> 4
        if code == 0:
            continue
        if code in (6, 7):
            n_samples = int.from_bytes(head[end : end + code - 5], "big") + 1
            end += code - 5
        else:
            n_samples = 192 if code == 1 else 576 << code - 2 if code < 6 else 1 << code
        end += {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
        if _crc8(head[:end]) == head[end]:
            position = number if head[1] & 1 else number * fixed_size
            yield _FlacFrame(match.start(), position, n_samples)


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc << 1 ^ 0x107 if crc & 0x80 else crc << 1
    return crc


def _of_mpeg(file: Input, seconds: float) -> Excerpt | None:
    head = file.peek(0, 2 * _HEAD)
    at = _first_frame(head, None)
    like = head[at : at + 4]
    frame = mpeg_frame(like)
    if at < 0 or at > _HEAD or frame is None:
        return None
    n_frames = _frame_count(head[at : at + frame.length])
    if n_frames is not None:
        at += frame.length
    size = file.size - at
    if n_frames:
        rate = size / (n_frames * frame.n_samples / frame.sr)
    else:
        rate = frame.length / frame.n_samples * frame.sr
    each = int(rate * seconds / N_PLACES)
    if each * N_PLACES >= size or rate > _MOST_MPEG_BYTES_PER_S:
        return None
    places, n_read = [], 0
    for start in place_starts(size, each):
        place = _whole_frames(file.peek(at + start, each), like)
        if place is None:
            return None
        places.append(place.data)
        n_read += place.n_frames
    if n_frames is None:
        n_frames = round(n_read * size / sum(map(len, places)))
    return Excerpt(b"".join(places), n_frames * frame.n_samples / frame.sr)


def _frame_count(frame: bytes) -> int | None:
    """Frames of a file by its first, which then holds no sound; 0 where such a one does not say."""
    for mark in (b"Xing", b"Info"):
        if (i := frame.find(mark)) >= 0:
            known = frame[i + 7 : i + 8] and frame[i + 7] & 1
            return int.from_bytes(frame[i + 8 : i + 12], "big") if known else 0
    i = frame.find(b"VBRI")
    return int.from_bytes(frame[i + 14 : i + 18], "big") if i >= 0 else None


def _first_frame(data: bytes, like: bytes | None) -> int:
    """Where three frames follow upon each other; -1 where none do."""
    at = data.find(b"\xff")
    while at >= 0:
        here, alike = at, like or data[at : at + 4]
        for _ in range(3):
            frame = _frame(data, here, alike)
            if frame is None:
                break
            here += frame.length
        else:
            return at
        at = data.find(b"\xff", at + 1)
    return -1


def _frame(data: bytes, at: int, like: bytes) -> MpegFrame | None:
    """The frame that begins here, if its version, layer and rate are those of another."""
    head = data[at : at + 4]
    if len(head) < 4 or head[:1] != like[:1] or (head[1] ^ like[1]) & 0xFE:
        return None
    return mpeg_frame(head) if not (head[2] ^ like[2]) & 0x0C else None


@dataclass(frozen=True)
class _Frames:
    """Whole frames, one behind the other."""

    data: bytes
    n_frames: int


def _whole_frames(data: bytes, like: bytes) -> _Frames | None:
    """The whole frames in a stretch of bytes; None where one of them is damaged.

    The first ones may need bytes of frames before them (the bit reservoir of layer 3), which are
    not there: these become silence, and what they hold for those behind them stays.
    """
    begin = _first_frame(data[: 2 * _HEAD], like)
    if begin < 0:
        return None
    out = bytearray(data)
    at, n_frames, held, filling = begin, 0, 0, True
    while (frame := _frame(data, at, like)) is not None and at + frame.length <= len(data):
        a, b = at + frame.side[0], at + frame.side[1]
        if filling and frame.layer == 3:
            is_first_version = data[at + 1] & 8
            needs = int.from_bytes(data[a : a + 2], "big") >> (7 if is_first_version else 8)
            filling = needs > held
            if filling:
                out[a:b] = bytes(b - a)
            held += max(0, frame.length - frame.side[1])
        at += frame.length
        n_frames += 1
    if frame is None and at + 4 <= len(data):
        return None
    return _Frames(bytes(out[begin:at]), n_frames)
