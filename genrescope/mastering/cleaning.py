"""Less noise and a better balanced sound, by gains that vary slowly over time and frequency.

The sound is looked at in bands of about a sixth of an octave. What a band never falls below is
taken for its noise, unless it has the shape of notes; where the band is near that floor, it is
turned down by 12 dB at most (spectral gating). A second, constant gain draws the long-term
spectrum a part of the way to that of well-liked recordings, 4 dB at most. All channels get the
same gains, so nothing moves in space.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Spectrum = NDArray[np.complexfloating[Any, Any]]

MAX_REDUCTION_DB = 12.0
MAX_EQUALISATION_DB = 4.0

_FRAME_S = 0.043
_CHUNK = 32  # frames at a time, which stay in the processor's cache
_TINY = 1e-12  # power of a frame that holds no sound at all
_GEOMETRIC_DB = 1.5  # mean over geometric mean of noise: 2.5 dB in one channel, 1.2 dB in two
_EQUALISATION = 0.3  # part of the way to the wanted spectrum
_QUIET_DB = 30.0  # so far below the wanted spectrum a band is left as it is


@dataclass(frozen=True)
class _Layout:
    """Frames and bands for one sample rate."""

    n_fft: int
    window: Float32
    edges: NDArray[np.int64]  # first Fourier bin of each band
    widths: NDArray[np.int64]  # Fourier bins in each band
    hz: Float64  # middle of each band

    @property
    def hop_length(self) -> int:
        return self.n_fft // 4


def _layout(sr: int) -> _Layout:
    n_fft = max(64, 2 ** round(np.log2(_FRAME_S * sr)))
    n_bins = n_fft // 2 + 1
    edges = np.unique(np.round(np.geomspace(2, n_bins, 64)).astype(np.int64))[:-1]
    edges = np.concatenate([[0], edges])
    widths = np.diff(edges, append=n_bins)
    window = np.hanning(n_fft + 1)[:-1].astype(np.float32)
    return _Layout(n_fft, window, edges, widths, (edges + (widths - 1) / 2) * sr / n_fft)


def clean(channels: Float32, sr: int) -> Float32:
    """Turn down steady noise and correct the balance of a recording.

    Args:
        channels: float32 (n_channels, n_samples).
        sr: sample rate in Hz.

    Returns:
        float32 (n_channels, n_samples).
    """
    layout = _layout(sr)
    padded = np.pad(channels, ((0, 0), (layout.n_fft, 2 * layout.n_fft)))
    power, typical_db = _band_power(padded, layout)
    active = power.sum(axis=1) > _TINY
    if not active.any():
        return channels
    floor = _noise_floor(typical_db[active])
    gain_db = _gate_db(power, floor, power[active].mean(axis=0), layout)
    cleaned = power * 10.0 ** (gain_db / 10.0)
    gain_db += _equaliser_db(cleaned[active].mean(axis=0), floor, layout)
    gain = (10.0 ** (gain_db / 20.0)).astype(np.float32)
    return _apply(padded, gain, layout)[:, layout.n_fft : layout.n_fft + channels.shape[1]]


def _spectra(padded: Float32, layout: _Layout) -> Iterator[tuple[int, Spectrum]]:
    """(first frame, complex64 (n_channels, n_frames, n_bins)), `_CHUNK` frames at a time.

    Divided by n_fft: with its default norm numpy works in float64, at several times the cost. The
    array is used again for the next frames: new ones would be new pages of memory each time, which
    cost as much as the transform.
    """
    frames = np.lib.stride_tricks.sliding_window_view(padded, layout.n_fft, axis=1)
    frames = frames[:, :: layout.hop_length]
    windowed = np.empty((len(padded), _CHUNK, layout.n_fft), np.float32)
    spectra = np.empty((len(padded), _CHUNK, layout.n_fft // 2 + 1), np.complex64)
    for start in range(0, frames.shape[1], _CHUNK):
        seen = frames[:, start : start + _CHUNK]
        n = seen.shape[1]
        np.multiply(seen, layout.window, out=windowed[:, :n])
        out: Any = spectra[:, :n]  # numpy's stubs know complex128 alone
        np.fft.rfft(windowed[:, :n], axis=2, norm="forward", out=out)
        yield start, spectra[:, :n]


def _band_power(padded: Float32, layout: _Layout) -> tuple[Float32, Float32]:
    """What each band holds, over all channels.

    Returns:
        float32 (n_frames, n_bands) power, and float32 (n_frames, n_bands) dB of the power that
        the band would have if all its bins were like the typical one (geometric mean). For noise
        the two are nearly the same; for notes, which leave most bins empty, far apart.
    """
    powers, typical = [], []
    shape = len(padded), _CHUNK, layout.n_fft // 2 + 1
    real, imaginary = np.empty(shape, np.float32), np.empty(shape, np.float32)
    for _, spectrum in _spectra(padded, layout):
        n = spectrum.shape[1]
        np.square(spectrum.real, out=real[:, :n])
        np.square(spectrum.imag, out=imaginary[:, :n])
        real[:, :n] += imaginary[:, :n]
        power = real[:, :n].sum(axis=0)
        power *= np.float32(layout.n_fft**2)
        powers.append(np.add.reduceat(power, layout.edges, axis=1))
        bins_db = np.maximum(power, np.float32(_TINY), out=power)
        np.log10(bins_db, out=bins_db)
        bins_db *= np.float32(10.0)
        typical.append(np.add.reduceat(bins_db, layout.edges, axis=1) / layout.widths)
    widths_db = (10.0 * np.log10(layout.widths)).astype(np.float32)
    typical_db = np.concatenate(typical, dtype=np.float32) + (widths_db + np.float32(_GEOMETRIC_DB))
    return np.concatenate(powers), typical_db


def _noise_floor(typical_db: Float32) -> Float64:
    """Power (n_bands,) that each band hardly ever falls below: its steady noise.

    Args:
        typical_db: (n_frames, n_bands) of the frames that are not digital silence.
    """
    from scipy.ndimage import median_filter, uniform_filter1d

    steady_db = uniform_filter1d(typical_db, 25, axis=0, mode="nearest")
    floor_db = np.percentile(steady_db, 5, axis=0) + 1.0  # a low percentile of noise is below it
    # A held low note fills its band, but stands out from the bands beside it; noise does not.
    floor_db = np.minimum(floor_db, median_filter(floor_db, 11, mode="nearest") + 3.0)
    floor: Float64 = 10.0 ** (floor_db.astype(np.float64) / 10.0)
    return floor


def _gate_db(power: Float32, floor: Float64, mean: Float32, layout: _Layout) -> Float64:
    """Gain (n_frames, n_bands), from -12 dB where there is noise alone to 0 where there is music.

    The floor of music without pauses is music: the less the whole stands above its floor, the
    less is taken away. Below 400 Hz less and less: bands there are too narrow to tell a held note
    from noise, and noise is hardly heard.
    """
    from scipy.ndimage import uniform_filter1d

    above_db = 10.0 * np.log10(mean.sum() / floor.sum())
    reduction_db = MAX_REDUCTION_DB * np.clip((above_db - 6.0) / 12.0, 0.0, 1.0)
    reduction_db = reduction_db * np.clip(np.log2(np.maximum(layout.hz, 1.0) / 100.0) / 2, 0.0, 1.0)
    smooth = uniform_filter1d(power.astype(np.float64), 9, axis=0, mode="nearest")
    ratio_db = 10.0 * np.log10(np.maximum(smooth, _TINY) / floor)
    gain_db = reduction_db * (np.clip((ratio_db - 3.0) / 6.0, 0.0, 1.0) - 1.0)
    gain_db = uniform_filter1d(gain_db, 5, axis=0, mode="nearest")
    smoothed: Float64 = uniform_filter1d(gain_db, 3, axis=1, mode="nearest")
    return smoothed


def _wanted_db(hz: Float64) -> Float64:
    """Spectral density of popular recordings: level to 100 Hz, then falling 4.5 dB an octave and
    from 4 kHz 6 dB (after Pestana et al., Spectral characteristics of popular commercial
    recordings 1950-2010, AES 2013)."""
    octaves = np.log2(np.maximum(hz, 100.0) / 100.0)
    bend = np.log2(40.0)
    wanted: Float64 = -4.5 * octaves - 1.5 * np.maximum(0.0, octaves - bend)
    return wanted


def _equaliser_db(mean: Float64, floor: Float64, layout: _Layout) -> Float64:
    """Gain (n_bands,) toward the wanted spectrum, smooth, zero where there is no music."""
    from scipy.ndimage import gaussian_filter1d

    density_db = 10.0 * np.log10(np.maximum(mean, _TINY) / layout.widths)
    missing_db = _wanted_db(layout.hz) - density_db
    music = (
        (missing_db < missing_db.min() + _QUIET_DB)
        & (mean > 4.0 * floor)
        & (layout.hz > 40.0)
        & (layout.hz < 16_000.0)
    )
    if not music.any():
        return np.zeros(len(mean))
    missing_db = np.where(music, missing_db - missing_db[music].mean(), 0.0)
    smoothed = gaussian_filter1d(_EQUALISATION * missing_db, 3.0, mode="nearest")
    curve: Float64 = np.clip(smoothed, -MAX_EQUALISATION_DB, MAX_EQUALISATION_DB)
    return curve


def _apply(padded: Float32, gain: Float32, layout: _Layout) -> Float32:
    """Multiply the spectra by gains (n_frames, n_bands), drawn out to Fourier bins, and rebuild."""
    hop_length = layout.hop_length
    bins = np.arange(layout.n_fft // 2 + 1)
    middles = layout.edges + (layout.widths - 1) / 2
    place = np.interp(bins, middles, np.arange(len(middles)))
    left = np.minimum(place.astype(np.int64), len(middles) - 2)
    share = (place - left).astype(np.float32)
    # Hann twice, four times overlapped, adds up to 1.5.
    synthesis = layout.window / np.float32(1.5)
    frames = np.empty((len(padded), _CHUNK, layout.n_fft), np.float32)
    rebuilt = np.zeros((len(padded), padded.shape[1] // hop_length + 4, hop_length), np.float32)
    for start, spectrum in _spectra(padded, layout):
        n = spectrum.shape[1]
        rows = gain[start : start + n]
        low = rows[:, left]
        spectrum *= low + (rows[:, left + 1] - low) * share
        out: Any = frames[:, :n]
        np.fft.irfft(spectrum, n=layout.n_fft, axis=2, norm="forward", out=out)
        np.multiply(out, synthesis, out=out)
        parts = frames.reshape(len(padded), _CHUNK, 4, hop_length)
        for k in range(4):
            rebuilt[:, start + k : start + k + n] += parts[:, :n, k]
    return rebuilt.reshape(len(padded), -1)
