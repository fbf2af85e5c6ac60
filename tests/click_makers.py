"""Music of clicks over chords: its beats are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray


def clicks(
    seconds: float,
    bpm: float,
    *,
    first: float = 0.3,
    hz: float = 2_000.0,
    tonic: int = 0,
    sr: int = 44_100,
) -> NDArray[np.float32]:  # fmt: skip
    """Float32 (n_samples,): a click of a pitch on every beat, over a soft major chord."""
    t = np.arange(round(seconds * sr)) / sr
    x = np.zeros(len(t))
    length = round(0.03 * sr)
    click = np.sin(2 * np.pi * hz * t[:length]) * np.exp(-t[:length] / 0.006)
    for beat in beat_times(seconds, bpm, first=first):
        start = round(beat * sr)
        x[start : start + length] += click[: len(x) - start]
    for above in (0, 4, 7, 12):
        x += 0.04 * np.sin(2 * np.pi * 220 * 2 ** ((tonic + above) / 12) * t)
    return (0.5 * x).astype(np.float32)


def beat_times(seconds: float, bpm: float, *, first: float = 0.3) -> NDArray[np.float64]:
    """When the clicks are, s."""
    return np.arange(first, seconds - 0.05, 60 / bpm)


def click_file(path: Path, seconds: float, bpm: float, **options: float) -> str:
    """Such music as a WAV file."""
    soundfile.write(path, clicks(seconds, bpm, **options), 44_100)  # type: ignore[arg-type]
    return str(path)
