"""Recordings made on the spot, in every format that is read: plain functions for any test."""

from __future__ import annotations

import io
import tempfile
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from genrescope.audio.decode import Source, decode, decode_channels, stream
from genrescope.errors import AudioError

Samples = NDArray[np.float32]  # (n_samples, n_channels)

# Every name can be given to `encoded`: libsndfile writes the first group, FFmpeg the second.
SNDFILE = {
    "wav8": ("WAV", "PCM_U8"),
    "wav16": ("WAV", "PCM_16"),
    "wav24": ("WAV", "PCM_24"),
    "wav32": ("WAV", "PCM_32"),
    "wav-float": ("WAV", "FLOAT"),
    "wav-double": ("WAV", "DOUBLE"),
    "wav-ext": ("WAVEX", "PCM_24"),
    "wav-adpcm": ("WAV", "IMA_ADPCM"),
    "rf64": ("RF64", "PCM_16"),
    "w64": ("W64", "PCM_16"),
    "aiff8": ("AIFF", "PCM_S8"),
    "aiff": ("AIFF", "PCM_16"),
    "aiff24": ("AIFF", "PCM_24"),
    "aiff-float": ("AIFF", "FLOAT"),
    "au": ("AU", "PCM_16"),
    "au-float": ("AU", "FLOAT"),
    "au-ulaw": ("AU", "ULAW"),
    "caf": ("CAF", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "flac8": ("FLAC", "PCM_S8"),
    "flac24": ("FLAC", "PCM_24"),
    "ogg": ("OGG", "VORBIS"),
}
FFMPEG: dict[str, tuple[str, str, dict[str, str]]] = {
    "mp3": ("mp3", "libmp3lame", {}),
    "mp3-bare": ("mp3", "libmp3lame", {"write_xing": "0", "id3v2_version": "0"}),
    "opus": ("ogg", "libopus", {}),
    "m4a": ("ipod", "aac", {}),
    "m4a-faststart": ("ipod", "aac", {"movflags": "faststart"}),
    "mp4-fragments": (  # as Safari records
        "mp4",
        "aac",
        {"movflags": "frag_keyframe+empty_moov+default_base_moof", "frag_duration": "500000"},
    ),
    "aac": ("adts", "aac", {}),
    "alac": ("ipod", "alac", {}),
    "webm": ("webm", "libopus", {}),
    "webm-live": ("webm", "libopus", {"live": "1"}),
    "wma": ("asf", "wmav2", {}),
    "mka-flac": ("matroska", "flac", {}),
    "mp2": ("mp2", "mp2", {}),
    "ac3": ("ac3", "ac3", {}),
}
LOSSLESS = (*(k for k in SNDFILE if k not in {"ogg", "wav-adpcm", "au-ulaw"}), "alac", "mka-flac")
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


def chord(
    seconds: float, sr: int = 22_050, *, n_channels: int = 1, seed: int = 0, top_hz: float = 3_000.0
) -> Samples:
    """Sines below `top_hz`, the same sound at any rate and in every channel: (n, n_channels)."""
    return np.repeat(_chord(seconds, sr, seed, top_hz)[:, None], n_channels, axis=1)


@cache
def _chord(seconds: float, sr: int, seed: int, top_hz: float) -> Samples:
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * sr)) / sr
    y = np.zeros(len(t))
    for hz, phase in zip(rng.uniform(80.0, top_hz, 12), rng.uniform(0, 2 * np.pi, 12), strict=True):
        y += np.sin(2 * np.pi * hz * t + phase)
    return (y / 10).astype(np.float32)


def aligned(
    a: NDArray[np.float32], b: NDArray[np.float32], max_lag: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Both with the delay of a codec taken out, without the edges it disturbs."""
    size = 1 << (min(len(a), len(b)) - 1).bit_length() - 1  # a power of two that both have
    cross = np.fft.irfft(np.fft.rfft(a[:size]) * np.conj(np.fft.rfft(b[:size])))
    lags = np.r_[0 : max_lag + 1, -max_lag:0]
    lag = int(lags[np.argmax(cross[lags])])
    a, b = a[max(0, lag) :], b[max(0, -lag) :]
    n = min(len(a), len(b))
    return a[max_lag : n - max_lag], b[max_lag : n - max_lag]


def encoded(kind: str, samples: Samples, sr: int) -> bytes:
    """The samples (n,) or (n, n_channels) as a file of that kind."""
    samples = samples[:, None] if samples.ndim == 1 else samples
    if kind in SNDFILE:
        return _by_sndfile(samples, sr, *SNDFILE[kind])
    if kind == "webm-browser":
        return _with_open_sizes(encoded("webm-live", samples, sr))
    return by_ffmpeg(samples, sr, *FFMPEG[kind])


def _by_sndfile(samples: Samples, sr: int, form: str, subtype: str) -> bytes:
    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", sr, samples.shape[1], format=form, subtype=subtype
    ) as sound:
        for i in range(0, len(samples), 8192):  # the Vorbis encoder overflows its stack on more
            sound.write(samples[i : i + 8192])
    return file.getvalue()


def by_ffmpeg(
    samples: Samples, sr: int, container: str, codec: str, options: dict[str, str]
) -> bytes:
    """The samples (n, n_channels) in a container and coding of FFmpeg's."""
    layout = _LAYOUTS[samples.shape[1]]
    with (
        tempfile.NamedTemporaryFile() as file,  # faststart reads back what it wrote, by name
        av.open(file.name, "w", format=container, options=options) as output,
    ):
        rate = 48_000 if codec == "libopus" else sr
        stream = output.add_stream(codec, rate=rate, layout=layout)
        stream.bit_rate = 64_000 * samples.shape[1]
        stream.time_base = Fraction(1, rate)
        for i in range(0, len(samples), sr):
            packed = np.ascontiguousarray(samples[i : i + sr]).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
            frame.sample_rate, frame.pts = sr, i
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        output.close()
        return Path(file.name).read_bytes()


def _with_open_sizes(webm: bytes) -> bytes:
    """The live WebM with clusters of unknown size, as MediaRecorder leaves them."""
    data = bytearray(webm)
    i = -1
    while (i := data.find(b"\x1f\x43\xb6\x75", i + 1)) >= 0:
        n = 9 - data[i + 4].bit_length()
        data[i + 4 : i + 4 + n] = (2 ** (7 * n + 1) - 1).to_bytes(n, "big")
    return bytes(data)


def id3_tag(body: bytes) -> bytes:
    """An ID3v2.3 tag around raw frames."""
    size = len(body)
    return b"ID3\x03\x00\x00" + bytes(size >> s & 0x7F for s in (21, 14, 7, 0)) + body


KINDS = (*SNDFILE, *FFMPEG, "webm-browser")
SEEKING = ("wav24", "aiff", "au", "flac")
SKIPPING = ("ogg", "mp3", "m4a", "opus", "webm-browser", "wma")


@cache
def recording(kind: str, seconds: float = 2.0, sr: int = 44_100, n_channels: int = 2) -> bytes:
    """A chord in that format."""
    return encoded(kind, chord(seconds, sr, n_channels=n_channels), sr)


def refusal(source: Source, name: str | None = None) -> AudioError:
    """The error, the same however the source is read, with its three parts."""
    with pytest.raises(AudioError) as whole:
        decode(source, name=name)
    with pytest.raises(AudioError) as blocks:
        list(stream(source, name=name))
    with pytest.raises(AudioError) as channels:
        decode_channels(source, name=name)
    assert str(whole.value) == str(blocks.value) == str(channels.value)
    error = whole.value
    assert str(error) == f"{error.name}: {error.reason}. {error.remedy}"
    assert error.remedy.endswith(".")
    return error


@cache
def link(kind: str, seconds: float, sr: int, n_channels: int = 1, seed: int = 0) -> bytes:
    return encoded(kind, chord(seconds, sr, n_channels=n_channels, seed=seed), sr)
