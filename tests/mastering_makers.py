"""Made-up music for the tests of mastering, and what is measured of sound."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

Float32 = NDArray[np.float32]
SR = 44_100


def db(power: float) -> float:
    return float(10 * np.log10(power))


def band(x: Float32, low: float, high: float, sr: int = SR) -> NDArray[np.float64]:
    return sosfiltfilt(butter(4, (low, high), "bandpass", fs=sr, output="sos"), x, axis=0)


def melody(seconds: float, *, sr: int = SR, seed: int = 0) -> Float32:
    """Plucked notes with harmonics, one each quarter second; every fifth second is a pause."""
    rng = np.random.default_rng(seed)
    x = np.zeros(int(seconds * sr), dtype=np.float32)
    t = np.arange(int(0.8 * sr)) / sr
    for start in np.arange(0, seconds, 0.25):
        if start % 5 > 3.2:  # what was plucked rings for 0.8 s
            continue
        hz = 110 * 2 ** (rng.integers(0, 25) / 12)
        harmonics = np.arange(1, int(min(20, 0.45 * sr / hz)) + 1)
        note = (np.sin(2 * np.pi * hz * np.outer(harmonics, t)) / harmonics[:, None] ** 1.3).sum(0)
        note *= np.exp(-5 * t) * np.minimum(1, (0.8 - t) / 0.05)
        at = int(start * sr)
        x[at : at + len(t)] += 0.2 * note[: len(x) - at].astype(np.float32)
    return x


def pauses(seconds: float, sr: int = SR) -> NDArray[np.bool_]:
    """Where `melody` has died away, with a margin."""
    t = np.arange(int(seconds * sr)) / sr
    return (t % 5 > 4.3) & (t % 5 < 4.8)
