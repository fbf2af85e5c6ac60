"""What tells the tempo of a clip: how strongly its onsets repeat at every tempo.

Onset strength in bands, its autocorrelation and its Fourier transform, all over a logarithmic axis
of tempo, on which the same rhythm at another speed is the same picture, moved. So a net that
looks at every place of it alike (`genrescope.lab.heads.nets`) learns from few tracks. After
Percival and Tzanetakis 2014, "Streamlined Tempo Estimation Based on Autocorrelation and
Cross-correlation With Pulses", and Grosche, Müller and Kurth 2010, "Cyclic Tempogram".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float32 = NDArray[np.float32]

N_TEMPI = 256
LOWEST_BPM, HIGHEST_BPM = 30.0, 286.0
BINS_PER_OCTAVE = (N_TEMPI - 1) / float(np.log2(HIGHEST_BPM / LOWEST_BPM))
"""Of the tempi that are told apart: each is 0.9 % faster than the one before."""

MARGIN = int(np.ceil(2 * BINS_PER_OCTAVE))
"""Places of the axis on each side of the tempi: two octaves, for what a tempo is a part of."""
N_BANDS = 8
N_CHANNELS = 2 * (N_BANDS + 1)
N_TIMBRE_BANDS = 16
N_TIMBRE = 3 * N_TIMBRE_BANDS

SECTION_S = 30.0
"""Sections of a longer clip are looked at one by one."""

TREND_FRAMES = 13
"""About a second: what changes slower is no onset."""
FINER = 8
"""Steps from one lag of the autocorrelation to the next."""


def tempi() -> NDArray[np.float64]:
    """The tempi that are told apart, bpm, float64 (N_TEMPI,), rising."""
    return np.asarray(LOWEST_BPM * 2 ** (np.arange(N_TEMPI) / BINS_PER_OCTAVE), np.float64)


def tempogram(x: ArrayLike, *, frame_rate: float) -> Float32:
    """How strongly the onsets of a clip repeat at each tempo.

    Args:
        x: a standardised log-mel, (n_mels, n_frames), ``n_mels`` a multiple of `N_BANDS`.
        frame_rate: frames per second.

    Returns:
        float32 (N_CHANNELS, N_TEMPI + 2 x MARGIN): for each band, and for all together, the
        logarithm of the spectrum of its onset strength, then as many rows of autocorrelation.
        Column ``MARGIN + i`` is of the i-th of `tempi`.
    """
    onsets = _onsets(np.asarray(x, np.float32))
    bpm = LOWEST_BPM * 2 ** (np.arange(-MARGIN, N_TEMPI + MARGIN) / BINS_PER_OCTAVE)
    both = [_spectrum(onsets, bpm, frame_rate), _autocorrelation(onsets, bpm, frame_rate)]
    return np.concatenate(both).astype(np.float32)


def timbre(x: ArrayLike) -> Float32:
    """The timbre of a clip, by which a net chooses between two tempi the one that people tap.

    Args:
        x: as of `tempogram`.

    Returns:
        float32 (N_TIMBRE,): mean, deviation and mean rise of each of 16 bands.
    """
    bands = _in_bands(np.asarray(x, np.float32), N_TIMBRE_BANDS)
    rises = np.maximum(np.diff(bands, axis=1, append=bands[:, -1:]), 0)
    told = [bands.mean(axis=1), bands.std(axis=1), rises.mean(axis=1)]
    return np.concatenate(told).astype(np.float32)


def _in_bands(x: Float32, n_bands: int) -> Float32:
    bands: Float32 = x.reshape(n_bands, len(x) // n_bands, -1).mean(axis=1)
    return bands


def _onsets(x: Float32) -> NDArray[np.float64]:
    """Onset strength of each band and of all, without what changes slowly, (n, n_frames - 1)."""
    if x.shape[1] < 2:
        x = np.repeat(x, 2, axis=1)
    rises = np.maximum(np.diff(x, axis=1), 0)
    strength = np.concatenate([_in_bands(rises, N_BANDS), rises.mean(axis=0, keepdims=True)])
    half = TREND_FRAMES // 2
    padded = np.pad(strength.astype(np.float64), ((0, 0), (half + 1, half)), mode="edge")
    sums = padded.cumsum(axis=1)
    flat = strength - (sums[:, TREND_FRAMES:] - sums[:, :-TREND_FRAMES]) / TREND_FRAMES
    return np.asarray(flat - flat.mean(axis=1, keepdims=True), np.float64)


def _spectrum(
    onsets: NDArray[np.float64], bpm: NDArray[np.float64], frame_rate: float
) -> NDArray[np.float64]:
    n_frames = onsets.shape[1]
    window = np.hanning(n_frames + 2)[1:-1]
    n_fft = _power_of_two(8 * n_frames)
    magnitude = np.abs(np.fft.rfft(onsets * window, n_fft)) / np.sqrt((window**2).sum())
    magnitude /= onsets.std(axis=1, keepdims=True) + 1e-6
    places = bpm / 60 / frame_rate * n_fft
    return np.log1p(_at(magnitude, places))


def _autocorrelation(
    onsets: NDArray[np.float64], bpm: NDArray[np.float64], frame_rate: float
) -> NDArray[np.float64]:
    n_frames = onsets.shape[1]
    n_fft = _power_of_two(2 * n_frames)
    power = np.abs(np.fft.rfft(onsets, n_fft)) ** 2
    # Zeros behind the spectrum: lags between frames, band-limited.
    finer = np.fft.irfft(power, n_fft * FINER)[:, : n_frames * FINER] * FINER
    finer /= n_frames - np.arange(n_frames * FINER) / FINER
    finer /= finer[:, :1] + 1e-9
    lags = 60 / bpm * frame_rate
    found = _at(finer, lags * FINER)
    found[:, lags > 0.6 * n_frames] = 0  # too few frames are left to compare
    return found


def _at(rows: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of rows between their columns; 0 past the end."""
    below = np.minimum(places.astype(np.int64), rows.shape[1] - 2)
    share = np.minimum(places - below, 1)
    values: NDArray[np.float64] = rows[:, below] * (1 - share) + rows[:, below + 1] * share
    values[:, places > rows.shape[1] - 1] = 0
    return values


def _power_of_two(n: int) -> int:
    return 1 << max(4, int(n - 1).bit_length())
