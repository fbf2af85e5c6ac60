"""Recordings of unusual shape, made of usual ones: tags, chains, tracks, time stamps, locks."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from audio_makers import Samples, chord, encoded
from numpy.typing import NDArray


def apev2(value: bytes, *, header: bool = True) -> bytes:
    """An APEv2 tag that holds a cover picture."""
    key = b"Cover Art (Front)\0"
    item = len(value).to_bytes(4, "little") + (2).to_bytes(4, "little") + key + value
    size = (len(item) + 32).to_bytes(4, "little")

    def ends(flags: int) -> bytes:
        numbers = (2000).to_bytes(4, "little") + size + (1).to_bytes(4, "little")
        return b"APETAGEX" + numbers + flags.to_bytes(4, "little") + bytes(8)

    has_header = header << 31
    return (ends(has_header | 1 << 29) if header else b"") + item + ends(has_header)


def lyrics3(text: bytes) -> bytes:
    body = b"LYRICSBEGIN" + b"LYR%05d" % min(len(text), 99_999) + text
    return body + b"%06d" % len(body) + b"LYRICS200"


def id3v1(*, extended: bool = False) -> bytes:
    return (b"TAG+" + b"x" * 223 if extended else b"") + b"TAG" + b"x" * 125


def ogg_pages(data: bytes) -> Iterator[bytearray]:
    at = 0
    while at < len(data):
        n = data[at + 26]
        length = 27 + n + sum(data[at + 27 : at + 27 + n])
        yield bytearray(data[at : at + length])
        at += length


def without_end_of_stream(data: bytes) -> bytes:
    """As Android writes Ogg: no page says that it is the last."""
    pages = list(ogg_pages(data))
    for page in pages:
        page[5] &= ~4
        page[22:26] = bytes(4)
        page[22:26] = _ogg_checksum(page).to_bytes(4, "little")
    return b"".join(pages)


def _ogg_checksum(page: bytearray) -> int:
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc >> 31 else 0)) & 0xFFFFFFFF
    return crc


def muxed(
    samples: Samples,
    sr: int,
    container: str,
    codec: str,
    *,
    starts_s: float = 0.0,
    picture_s: float = 0.0,
    options: dict[str, str] | None = None,
    n_tracks: int = 1,
) -> bytes:
    """Mono samples (n, 1) with pictures beside them, or later time stamps, or in several tracks.

    Args:
        starts_s: time stamp of the first sample.
        picture_s: length of the picture, which begins at 0.
        n_tracks: the first holds the samples, each further one the same 6 dB softer.
    """
    file = io.BytesIO()
    with av.open(file, "w", format=container, options=options or {}) as output:
        video = None
        if picture_s:
            video = output.add_stream("vp8" if container == "webm" else "mpeg4", rate=5)
            video.width = video.height = 32
            video.pix_fmt = "yuv420p"
        tracks = [output.add_stream(codec, rate=sr, layout="mono") for _ in range(n_tracks)]
        for track in tracks:
            track.bit_rate = 64_000
        packets = []
        for i in range(round(5 * picture_s) if video is not None else 0):
            assert video is not None
            picture = av.VideoFrame.from_ndarray(
                np.full((32, 32, 3), i % 255, np.uint8), format="rgb24"
            )
            picture.pts, picture.time_base = i, Fraction(1, 5)
            packets += video.encode(picture)
        if video is not None:
            packets += video.encode(None)
        for k, track in enumerate(tracks):
            for i in range(0, len(samples), 1000):
                packed = samples[i : i + 1000, 0][np.newaxis] * np.float32(0.5**k)
                frame = av.AudioFrame.from_ndarray(packed, format="flt", layout="mono")
                frame.sample_rate, frame.time_base = sr, Fraction(1, sr)
                frame.pts = i + round(starts_s * sr)
                packets += track.encode(frame)
            packets += track.encode(None)
        for packet in sorted(packets, key=lambda p: float((p.dts or 0) * p.time_base)):
            output.mux(packet)
    return file.getvalue()


def free_format(mp3: bytes) -> bytes:
    """An mp3 without padding whose frames no longer say their bit rate."""
    data = bytearray(mp3)
    length = data.index(data[:2], 4)
    for at in range(0, len(data) - 3, length):
        assert data[at : at + 2] == data[:2]
        data[at + 2] &= 0x0F
    return bytes(data)


def dsd_bits(samples: NDArray[np.float64]) -> NDArray[np.uint8]:
    """One-bit samples, 0 or 1, by a modulator of second order."""
    first = second = 0.0
    bits = np.empty(len(samples), np.uint8)
    for i, x in enumerate(samples):
        bits[i] = second >= 0
        out = 1.0 if bits[i] else -1.0
        first += x - out
        second += first - out
    return bits


def dsf(samples: NDArray[np.float64], sr: int) -> bytes:
    """A DSF file of one channel; `sr` is that of its bits."""
    packed = np.packbits(dsd_bits(samples), bitorder="little").tobytes()
    packed += bytes(-len(packed) % 4096)

    def number(value: int, width: int = 4) -> bytes:
        return value.to_bytes(width, "little")

    form = b"fmt " + number(52, 8) + number(1) + number(0) + number(1) + number(1) + number(sr)
    form += number(1) + number(len(samples), 8) + number(4096) + number(0)
    data = b"data" + number(12 + len(packed), 8) + packed
    whole = 28 + len(form) + len(data)
    return b"DSD " + number(28, 8) + number(whole, 8) + number(0, 8) + form + data


def dff(samples: NDArray[np.float64], sr: int) -> bytes:
    """A DSDIFF file of one channel; `sr` is that of its bits."""
    packed = np.packbits(dsd_bits(samples)).tobytes()

    def chunk(name: bytes, body: bytes) -> bytes:
        return name + len(body).to_bytes(8, "big") + body + bytes(len(body) % 2)

    about = b"SND " + chunk(b"FS  ", sr.to_bytes(4, "big"))
    about += chunk(b"CHNL", b"\0\1C000") + chunk(b"CMPR", b"DSD \x0enot compressed\0")
    version = chunk(b"FVER", b"\1\5\0\0")
    return chunk(b"FRM8", b"DSD " + version + chunk(b"PROP", about) + chunk(b"DSD ", packed))


def integer_wav(samples: NDArray[np.signedinteger], sr: int) -> bytes:
    """A WAV file of whole numbers (n,) of any width, written as they are."""
    width = samples.dtype.itemsize
    numbers = [(1, 2), (1, 2), (sr, 4), (sr * width, 4), (width, 2), (8 * width, 2)]
    form = b"".join(value.to_bytes(n, "little") for value, n in numbers)
    data = samples.tobytes()
    body = b"WAVEfmt " + len(form).to_bytes(4, "little") + form
    body += b"data" + len(data).to_bytes(4, "little") + data
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def with_packets(codec: str, container: str, packets: list[bytes]) -> bytes:
    """A recording of a frame or two, then packets as they are given."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=44_100, layout="stereo")
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 2048), np.float32), format="flt", layout="stereo"
        )
        frame.sample_rate, frame.pts = 44_100, 0
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            output.mux(packet)
        for i, content in enumerate(packets, 10):
            packet = av.Packet(content)
            packet.stream, packet.time_base = stream, Fraction(1, 44_100)
            packet.pts = packet.dts = 1024 * i
            output.mux(packet)
    return file.getvalue()


def alac_with_frames_of(n_samples: int) -> bytes:
    """A recording whose header claims frames of so many samples."""
    alac = bytearray(encoded("alac", chord(1.0, 48_000, n_channels=2), 48_000))
    cookie = alac.rindex(b"alac") + 8
    alac[cookie : cookie + 4] = n_samples.to_bytes(4, "big")
    return bytes(alac)
