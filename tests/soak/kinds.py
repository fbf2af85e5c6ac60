"""A file of every kind that is admitted, so that each demuxer and decoder is under fire."""

from __future__ import annotations

import struct
from functools import cache

import numpy as np
from audio_makers import FFMPEG, SNDFILE, by_ffmpeg, chord, encoded
from odd_makers import dff, dsf
from soak.carriers import CARRIERS, carried

_RARE: dict[str, tuple[str, str, int, int]] = {  # container, codec, rate in Hz, channels
    "amr": ("amr", "libopencore_amrnb", 8_000, 1),
    "avi": ("avi", "mp2", 44_100, 2),
    "avi-pcm": ("avi", "pcm_s16le", 44_100, 2),
    "eac3": ("eac3", "eac3", 48_000, 2),
    "flv": ("flv", "libmp3lame", 44_100, 2),
    "flv-aac": ("flv", "aac", 44_100, 2),
    "flv-nellymoser": ("flv", "nellymoser", 22_050, 1),
    "mpeg": ("mpeg", "mp2", 48_000, 2),
    "mpeg-dvd": ("vob", "pcm_dvd", 48_000, 2),
    "mpegts": ("mpegts", "aac", 48_000, 2),
    "mpegts-ac3": ("mpegts", "ac3", 48_000, 2),
    "rm": ("rm", "real_144", 8_000, 1),
    "rm-ac3": ("rm", "ac3", 44_100, 2),
    "tta": ("tta", "tta", 44_100, 2),
    "wv": ("wv", "wavpack", 44_100, 2),
    "mka-tta": ("matroska", "tta", 44_100, 2),
    "mka-wavpack": ("matroska", "wavpack", 44_100, 2),
    "mka-eac3": ("matroska", "eac3", 48_000, 2),
    "mka-mp3": ("matroska", "libmp3lame", 44_100, 2),
    "mka-pcm": ("matroska", "pcm_f64le", 44_100, 2),
    "mov-ima": ("mov", "adpcm_ima_qt", 44_100, 2),
    "mov-float": ("mov", "pcm_f32be", 44_100, 2),
    "mov-flac": ("mp4", "flac", 44_100, 2),
    "mov-opus": ("mp4", "libopus", 48_000, 2),
    "wav-ms": ("wav", "adpcm_ms", 44_100, 2),
    "wav-yamaha": ("wav", "adpcm_yamaha", 44_100, 2),
    "wav-mp3": ("wav", "libmp3lame", 44_100, 2),
    "caf-alac": ("caf", "alac", 44_100, 2),
    "au-alaw": ("au", "pcm_alaw", 8_000, 1),
    "wma1": ("asf", "wmav1", 44_100, 2),
    "ogg-flac": ("ogg", "flac", 44_100, 2),
}


def _iff(compression: int) -> bytes:
    """Sound of the Amiga: 0 as it is, 1 Fibonacci's differences, 2 exponential ones."""
    body = np.random.default_rng(0).integers(0, 256, 4_000, np.uint8).tobytes()
    head = struct.pack(">IIIHBBI", len(body), 0, 0, 8_000, 1, compression, 1 << 16)
    chunks = b"VHDR" + struct.pack(">I", len(head)) + head
    chunks += b"BODY" + struct.pack(">I", len(body)) + body
    return b"FORM" + struct.pack(">I", 4 + len(chunks)) + b"8SVX" + chunks


def _dst() -> bytes:
    """Direct Stream Transfer in DSDIFF: noise, since nothing here encodes it."""
    rng = np.random.default_rng(0)

    def chunk(name: bytes, body: bytes) -> bytes:
        return name + struct.pack(">Q", len(body)) + body + bytes(len(body) % 2)

    about = b"SND " + chunk(b"FS  ", struct.pack(">I", 2_822_400))
    about += chunk(b"CHNL", b"\0\1C000") + chunk(b"CMPR", b"DST \x0bDST Encoded")
    frames = b"".join(chunk(b"DSTF", rng.bytes(400)) for _ in range(10))
    sound = chunk(b"DST ", chunk(b"FRTE", struct.pack(">IH", 10, 75)) + frames)
    body = b"DSD " + chunk(b"FVER", b"\1\5\0\0") + chunk(b"PROP", about) + sound
    return chunk(b"FRM8", body)


def _ape() -> bytes:
    """Monkey's Audio, version 3.99: a header that is right, and noise."""
    noise = np.random.default_rng(0).bytes(6_000)
    n_frames, blocks = 2, 4_608
    seek = struct.pack("<2I", 76 + 8, 76 + 8 + 3_000)
    head = struct.pack("<4sHHIIIIIII", b"MAC ", 3_990, 0, 52, 24, 8, 0, len(noise), 0, 0)
    head += bytes(16)
    head += struct.pack("<HHIIIHHI", 2_000, 0, blocks, blocks, n_frames, 16, 2, 44_100)
    return head + seek + noise


def _mpc7() -> bytes:
    noise = np.random.default_rng(0).bytes(4_000)
    return b"MP+\x07" + struct.pack("<IIIIII", 20, 0x0F000000, 0, 0, 0, 0) + noise


def _mpc8() -> bytes:
    rng = np.random.default_rng(0)

    def packet(name: bytes, body: bytes) -> bytes:
        n = len(body) + 4
        return name + bytes([0x80 | n >> 7, n & 0x7F]) + body

    checksum = b"\0\0\0\1"  # nobody looks whether it is true
    stream = checksum + b"\x08\x81\x70\x00" + b"\x1f\x18"
    sound = b"".join(packet(b"AP", rng.bytes(400)) for _ in range(10))
    return b"MPCK" + packet(b"SH", stream) + packet(b"RG", b"\1" + bytes(8)) + sound


def _one_bit() -> np.ndarray:
    return np.sin(np.arange(20_000) / 400) / 2


_BY_HAND = {
    "iff": lambda: _iff(0),
    "iff-fib": lambda: _iff(1),
    "iff-exp": lambda: _iff(2),
    "dsf": lambda: dsf(_one_bit(), 2_822_400),
    "dff": lambda: dff(_one_bit(), 2_822_400),
    "dff-dst": _dst,
    "ape": _ape,
    "mpc7": _mpc7,
    "mpc8": _mpc8,
}

KINDS = (
    *(*SNDFILE, *FFMPEG, "webm-browser", *_RARE, *_BY_HAND),
    *(f"noise-{decoder}" for decoder in CARRIERS),
)
"""Every kind; the last ones are noise in a container that names a decoder."""


@cache
def seed_file(kind: str) -> bytes:
    """Half a second of sound, in stereo where the kind allows it."""
    if kind in _BY_HAND:
        return _BY_HAND[kind]()
    if kind in _RARE:
        container, codec, sr, n_channels = _RARE[kind]
        return by_ffmpeg(chord(0.5, sr, n_channels=n_channels), sr, container, codec, {})
    if kind.startswith("noise-"):
        return carried(CARRIERS[kind.removeprefix("noise-")])
    return encoded(kind, chord(0.5, 44_100, n_channels=2), 44_100)
