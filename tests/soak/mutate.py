"""Files as no encoder writes them, each from a number, so that any of them can be made again."""

from __future__ import annotations

from functools import cache

import numpy as np
from audio_makers import FFMPEG, SNDFILE, chord, encoded

KINDS = (*SNDFILE, *FFMPEG, "webm-browser")
"""Every format that is read; `audio_makers.encoded` takes these names."""

_INTERESTING = (
    *(b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00"),
    *(b"\x00\x00\x00\x01", b"\x01\x00\x00\x00", b"\xff\xff\xff\x7f", b"\x00\x01", b"\xff\xff"),
)


@cache
def seed_file(kind: str) -> bytes:
    """Half a second of sound in stereo."""
    return encoded(kind, chord(0.5, 44_100, n_channels=2), 44_100)


def mutant(index: int, *, seed: int = 0) -> tuple[str, bytes]:
    """Kind and bytes of one mutated file, the same for the same numbers."""
    kind = KINDS[index % len(KINDS)]
    rng = np.random.default_rng([seed, index])
    out = bytearray(seed_file(kind))
    # Headers are where lengths, counts and offsets stand.
    region = int(rng.choice([64, 512, 4_096, len(out)]))
    for _ in range(int(rng.choice([1, 2, 8, 64]))):
        _change(out, region, rng)
    if kind in ("ogg", "opus") and rng.random() < 0.75:
        _mend_checksums(out)  # otherwise every damaged page is passed over, and nothing is tried
    return kind, bytes(out) or b"x"


def _change(out: bytearray, region: int, rng: np.random.Generator) -> None:
    i = int(rng.integers(max(1, min(region, len(out)))))
    n = int(rng.integers(1, 200))
    match int(rng.integers(9)):
        case 0 | 1:
            out[i : i + 1] = bytes([int(rng.integers(256))])
        case 2:
            out[i : i + 1] = bytes([(out[i] if out else 0) ^ 1 << int(rng.integers(8))])
        case 3 | 4:
            value = _INTERESTING[int(rng.integers(len(_INTERESTING)))]
            out[i : i + len(value)] = value
        case 5:
            del out[i : i + n]
        case 6:
            j = int(rng.integers(max(1, len(out))))
            out[i:i] = out[j : j + n]
        case 7:
            other = seed_file(KINDS[int(rng.integers(len(KINDS)))])
            j = int(rng.integers(len(other)))
            out[i : i + n] = other[j : j + n]
        case _:
            del out[int(rng.integers(len(out) + 1)) :]


def _mend_checksums(ogg: bytearray) -> None:
    """Give each page the checksum that its bytes have (RFC 3533)."""
    page = -1
    while (page := ogg.find(b"OggS", page + 1)) >= 0 and page + 27 <= len(ogg):
        lacing = ogg[page + 27 : page + 27 + ogg[page + 26]]
        end = page + 27 + len(lacing) + sum(lacing)
        ogg[page + 22 : page + 26] = bytes(4)
        ogg[page + 22 : page + 26] = _crc(ogg[page:end]).to_bytes(4, "little")


def _crc(data: bytes) -> int:
    crc = 0
    table = _crc_table()
    for byte in data:
        crc = crc << 8 & 0xFFFF_FFFF ^ table[crc >> 24 ^ byte]
    return crc


@cache
def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        crc = value << 24
        for _ in range(8):
            crc = crc << 1 ^ (0x04C1_1DB7 if crc >> 31 else 0)
            crc &= 0xFFFF_FFFF
        table.append(crc)
    return tuple(table)
