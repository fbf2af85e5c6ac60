"""A more beautiful version of a recording: cleaned, balanced, a little space, and as loud as it
should be."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrescope.audio.mixing import MAX_STEREO_SR, to_stereo
from genrescope.mastering.cleaning import clean
from genrescope.mastering.loudness import master, true_peak_db

Float32 = NDArray[np.float32]

TARGET_LUFS = -14.0  # what streaming services play at
PEAK_DB = -1.0

_LEAST_SR = 8_000
_RUMBLE_HZ = 30.0
_STRETCH = 1 << 14  # samples
# First reflections of a small room: ms after the sound, and gain; other times on each side.
_REFLECTIONS = (
    ((7.1, 0.110), (12.7, -0.090), (19.9, 0.075), (27.1, -0.055), (36.1, 0.040)),
    ((8.9, -0.110), (14.3, 0.090), (17.3, -0.075), (30.1, 0.055), (33.7, -0.040)),
)


@dataclass(frozen=True, eq=False)
class Polished:
    """A finished recording.

    Attributes:
        samples: float32 (n_samples, 2), left and right.
        sr: sample rate in Hz.
        lufs: integrated loudness; -70 where there is only silence.
        peak_db: true peak, dB re full scale; at least -120.
    """

    samples: Float32
    sr: int
    lufs: float
    peak_db: float


def polish(channels: ArrayLike, sr: int) -> Polished:
    """Clean and master a recording.

    In this order: stereo at no more than 48 kHz; rumble and direct current out (high-pass at
    30 Hz); steady noise down and the balance corrected (`genrescope.mastering.cleaning`); quiet
    first reflections, different on each side; loudness to -14 LUFS under a limiter at -1 dB true
    peak. The same input gives the same output. Silence stays silence.

    Args:
        channels: (n_samples, n_channels), nominally in [-1, 1].
        sr: sample rate in Hz.

    Raises:
        ValueError: no samples, samples that are not finite, or a sample rate below 1 kHz.
    """
    x = np.asarray(channels, dtype=np.float32)
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(f"channels must be (n_samples, n_channels), not of shape {x.shape}")
    if sr < 1_000:
        raise ValueError(f"cannot polish sound at {sr} Hz; its sample rate must reach 1 kHz")
    if not np.isfinite(x).all():
        raise ValueError("channels hold values that are not finite")
    stereo, sr = _stereo(x, sr)
    stereo = _with_space(clean(_without_rumble(stereo, sr), sr), sr)
    mastered = master(stereo, sr, lufs=TARGET_LUFS, peak_db=PEAK_DB)
    return Polished(
        samples=np.ascontiguousarray(mastered.channels.T),
        sr=sr,
        lufs=mastered.lufs,
        peak_db=true_peak_db(mastered.channels),
    )


def to_wav(samples: ArrayLike, sr: int) -> bytes:
    """A 16-bit wav file, dithered (triangular, seeded); digital silence stays zero.

    Args:
        samples: (n_samples, n_channels); what lies outside [-1, 1] is clipped.
        sr: sample rate in Hz.
    """
    import soundfile

    x = np.asarray(samples, dtype=np.float32)
    rng = np.random.default_rng(0)
    dither = rng.random(x.shape, dtype=np.float32) - rng.random(x.shape, dtype=np.float32)
    levels = np.rint(np.where(x == 0, 0, x * np.float32(32_767) + dither))
    file = io.BytesIO()
    whole = np.clip(levels, -32_768, 32_767).astype(np.int16)
    soundfile.write(file, whole, sr, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _stereo(x: Float32, sr: int) -> tuple[Float32, int]:
    """(2, n_samples) at 8 to 48 kHz, and its sample rate."""
    import soxr

    x = to_stereo(x)
    # The filters that loudness is heard through (ITU-R BS.1770) do not fit below.
    rate = min(max(sr, _LEAST_SR), MAX_STEREO_SR)
    if sr != rate:
        resampled = soxr.resample(x, sr, rate)
        # A sound shorter than one sample at the lower rate.
        x, sr = resampled if len(resampled) else x[:1], rate
    return np.array(np.broadcast_to(x.T, (2, len(x)))), sr


def _without_rumble(stereo: Float32, sr: int) -> Float32:
    """High-pass (Butterworth, third order), forward and back so that no phase is shifted."""
    from scipy.signal import butter

    sections = butter(3, _RUMBLE_HZ, "highpass", fs=sr, output="sos")
    margin = min(stereo.shape[1] - 1, sr // 10)
    # Turned round at both ends, so that the filter is settled where the sound begins.
    left = 2 * stereo[:, :1] - stereo[:, margin:0:-1]
    right = 2 * stereo[:, -1:] - stereo[:, -2 : -margin - 2 : -1]
    x = np.concatenate([left, stereo, right], axis=1)
    for way in (x, x[:, ::-1]):
        _filter_in_place(way, sections)
    return x[:, margin : margin + stereo.shape[1]]


def _filter_in_place(x: Float32, sections: NDArray[np.float64]) -> None:
    """Filter (n_channels, n_samples) a stretch at a time, which stays in the processor's cache."""
    from scipy.signal import sosfilt, sosfilt_zi

    state = sosfilt_zi(sections)[:, np.newaxis] * x[:, :1].astype(np.float64)
    for start in range(0, x.shape[1], _STRETCH):
        stretch = x[:, start : start + _STRETCH]
        stretch[:], state = sosfilt(sections, stretch.astype(np.float64), zi=state)


def _with_space(stereo: Float32, sr: int) -> Float32:
    """Add the first reflections of what both sides share, without its lowest and highest parts."""
    from scipy.signal import butter, sosfilt

    middle = stereo.mean(axis=0, dtype=np.float32)
    band = (250.0, min(6_000.0, 0.45 * sr))
    sections = butter(1, band, "bandpass", fs=sr, output="sos").astype(np.float32)
    source = sosfilt(sections, middle)
    out = stereo.copy()
    for side, reflections in zip(out, _REFLECTIONS, strict=True):
        for ms, gain in reflections:
            delay = round(ms * sr / 1000)
            side[delay:] += np.float32(gain) * source[: max(0, len(source) - delay)]
    return out
