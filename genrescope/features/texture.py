"""Level-free descriptors of a spectrogram's texture: how flat, steady, tonal, busy it is.

They tell music from what is none. Each is computed on a window of a few seconds, so that a short
excerpt and a long recording are described alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

FLOOR_DB = -60.0
"""Below the window's own maximum nothing is looked at: there lies what a recorder or a codec
leaves, and a clip's top_db cuts it off in some windows and not in others."""

NAMES = (
    "level_mean",
    "level_std",
    "flatness_mean",
    "flatness_std",
    "change_mean",
    "change_high",
    "change_skew",
    "band_std",
    "comodulation",
    "peaks_mean",
    "peaks_share",
    "peaks_kept",
    "active_share",
    "active_std",
    "pauses",
    "loud_std",
    "slow_modulation",
    "fast_modulation",
    "centre_mean",
    "centre_std",
    "lowest",
    "low",
    "middle",
    "high",
    "highest",
)


def texture(x: Array) -> NDArray[np.float64]:
    """Descriptors of windows of a log-spectrogram.

    Args:
        x: (n_windows, n_bins, n_frames), dB; at least 8 bins and 4 frames.

    Returns:
        float64 (n_windows, len(NAMES)); adding a constant to ``x`` changes nothing.
    """
    x = np.asarray(x, np.float32)
    n_bins = x.shape[1]
    x = np.maximum(x - x.max(axis=(1, 2), keepdims=True), FLOOR_DB)
    power = 10 ** (x / 10)
    frame = 10 * np.log10(power.sum(axis=1))  # (n_windows, n_frames)
    loud = np.maximum(frame - frame.max(axis=1, keepdims=True), FLOOR_DB)
    flat = x.mean(axis=1) - frame + 10 * np.log10(n_bins)
    change = np.diff(x, axis=2)
    steps = np.abs(change).mean(axis=1)
    centred = x - x.mean(axis=2, keepdims=True)
    spread = centred.std(axis=2)
    common = centred.mean(axis=1)
    peak = x - _neighbourhood(x)
    active = (x > FLOOR_DB + 5).mean(axis=1)
    modulation = _modulation(loud)
    bins = np.arange(n_bins) / n_bins
    share = power / power.sum(axis=1, keepdims=True)
    centre = (share * bins[:, None]).sum(axis=1)
    fifths = _parts(power, 5)
    columns = [
        x.mean(axis=(1, 2)),
        x.std(axis=(1, 2)),
        flat.mean(axis=1),
        flat.std(axis=1),
        steps.mean(axis=1),
        steps.max(axis=1),
        _skew(change.mean(axis=1)),
        spread.mean(axis=1),
        common.var(axis=1) / np.maximum(np.mean(centred**2, axis=(1, 2)), 1e-6),
        np.maximum(peak, 0).mean(axis=(1, 2)),
        (peak > 6).mean(axis=(1, 2)),
        _kept(peak),
        active.mean(axis=1),
        active.std(axis=1),
        (loud < -20).mean(axis=1),
        loud.std(axis=1),
        modulation[0],
        modulation[1],
        centre.mean(axis=1),
        centre.std(axis=1),
        *fifths,
    ]
    return np.stack(columns, axis=1).astype(np.float64)


def _neighbourhood(x: Array) -> Array:
    """Mean over the bins within three of each, itself included."""
    total = np.cumsum(np.pad(x, ((0, 0), (4, 3), (0, 0)), mode="edge"), axis=1)
    return np.asarray((total[:, 7:] - total[:, :-7]) / 7)


def _kept(peak: Array) -> Array:
    """How much of the fine structure over the bins one frame hands on to the next: a correlation.

    A held note keeps it, a voice that glides and noise do not.
    """
    now, then = peak[:, :, 1:], peak[:, :, :-1]
    power = np.sqrt((now**2).sum(axis=(1, 2)) * (then**2).sum(axis=(1, 2)))
    return np.asarray((now * then).sum(axis=(1, 2)) / np.maximum(power, 1e-6))


def _skew(x: Array) -> Array:
    """Skewness over the last axis; sounds start faster than they end."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return np.asarray((centred**3).mean(axis=-1) / np.maximum(centred.std(axis=-1) ** 3, 1e-6))


def _modulation(loud: Array) -> tuple[Array, Array]:
    """Depth of loudness in its slow (lowest quarter) and fast modulations, dB."""
    spectrum = np.abs(np.fft.rfft(loud - loud.mean(axis=1, keepdims=True), axis=1))[:, 1:]
    spectrum /= loud.shape[1]
    cut = max(1, spectrum.shape[1] // 4)
    slow, fast = (spectrum[:, :cut] ** 2).sum(axis=1), (spectrum[:, cut:] ** 2).sum(axis=1)
    return np.sqrt(slow), np.sqrt(fast)


def _parts(power: Array, n_parts: int) -> list[Array]:
    """Share of the power in each part of the bins, dB, from -40."""
    rows = [part.sum(axis=(1, 2)) for part in np.array_split(power, n_parts, axis=1)]
    total = sum(rows)
    return [np.maximum(10 * np.log10(np.maximum(row / total, 1e-12)), -40) for row in rows]
