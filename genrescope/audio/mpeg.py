"""Headers of MPEG audio frames (ISO 11172-3, ISO 13818-7 for ADTS)."""

from __future__ import annotations

from dataclasses import dataclass

from genrescope.audio.source import Input

_RATES_HZ = (44_100, 48_000, 32_000)
# kbit/s by (is MPEG-1, layer); index 0 is "free", 15 is forbidden.
_KBPS = {
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}

_LONGEST_FREE_FRAME = 5_760  # bytes: 640 kbit/s at 16 kHz


@dataclass(frozen=True)
class MpegFrame:
    """What the header of an MPEG audio frame says.

    Attributes:
        length: bytes, header included.
        n_samples: of each channel.
        sr: sample rate in Hz.
        layer: 1 to 3.
        side: where the side information of layer 3 lies in the frame, from and to; else (0, 0).
    """

    length: int
    n_samples: int
    sr: int
    layer: int
    side: tuple[int, int]


def mpeg_frame(head: bytes) -> MpegFrame | None:
    """The MPEG audio frame whose header these bytes begin with; None where they are none, and
    where it does not say its bit rate."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    layer = 4 - (head[1] >> 1 & 3)
    version = head[1] >> 3 & 3  # 3: MPEG-1, 2: MPEG-2, 0: MPEG-2.5
    bitrate, rate = head[2] >> 4, head[2] >> 2 & 3
    if layer == 4 or version == 1 or bitrate in (0, 15) or rate == 3:
        return None
    bps = 1000 * _KBPS[version == 3, layer][bitrate]
    sr = _RATES_HZ[rate] >> {3: 0, 2: 1, 0: 2}[version]
    padding = head[2] >> 1 & 1
    if layer == 1:
        return MpegFrame((12 * bps // sr + padding) * 4, 384, sr, layer, (0, 0))
    samples = 576 if layer == 3 and version != 3 else 1152
    begin = 4 if head[1] & 1 else 6  # behind a checksum
    mono = head[3] >> 6 == 3
    n_side = {(3, False): 32, (3, True): 17}.get((version, mono), 9 if mono else 17)
    side = (begin, begin + n_side) if layer == 3 else (0, 0)
    return MpegFrame(samples // 8 * bps // sr + padding, samples, sr, layer, side)


def frame_length(frame: bytes) -> int:
    """Bytes that the header of an MPEG audio or ADTS frame says it has; 0 where it says none."""
    if len(frame) < 7 or frame[0] != 0xFF or frame[1] & 0xE0 != 0xE0:
        return 0
    if frame[1] & 6 == 0:  # ADTS
        return (frame[3] & 3) << 11 | frame[4] << 3 | frame[5] >> 5
    header = mpeg_frame(frame)
    return header.length if header is not None else 0


def has_frame_count(file: Input) -> bool:
    """Whether an mp3 file begins with a Xing, Info or VBRI frame, so that its length is known."""
    first = file.peek(0, 2048)  # some writers pad before the first frame
    return any(mark in first for mark in (b"Xing", b"Info", b"VBRI"))


def is_free_format(file: Input) -> bool:
    """Whether a file begins with layer 3 frames that do not say their bit rate: three in a row."""
    head = file.peek(0, 4)
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return False
    if head[1] >> 3 & 3 == 1 or head[2] >> 4 or head[2] >> 2 & 3 == 3:
        return False
    data = file.peek(0, 3 * _LONGEST_FREE_FRAME)

    def is_frame(at: int) -> bool:
        return data[at : at + 2] == data[:2] and data[at + 2 : at + 3] in (
            bytes([data[2] & ~2]),
            bytes([data[2] | 2]),  # with a byte of padding
        )

    length = data.find(data[:2], 24)
    while 0 < length <= _LONGEST_FREE_FRAME:
        if is_frame(length) and any(is_frame(2 * length + more) for more in (-1, 0, 1)):
            return True
        length = data.find(data[:2], length + 1)
    return False
