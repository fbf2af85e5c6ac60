"""Synthetic recordings for the tests of this room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from genrescope.data.track import Track

SR = 8000


def children() -> list[int]:
    """Processes that this one has started and that are still there."""
    lists = Path("/proc/self/task").glob("*/children")
    return [int(pid) for path in lists for pid in path.read_text().split()]


TRACKS = [
    Track("a1", "a", "X"),
    Track("a2", "a", "Y", faults=("repeat:a3",)),
    Track("a3", "a", "Z"),
    Track("b1", "b", "The X"),
    Track("b2", "b", "V & W"),
    Track("b3", "b", "W"),
    Track("w", "a", "U"),
    Track("z", "b", "T"),
]
"""Artists who collaborate, a repeat, and two genres."""


def write_tone(path: Path, *, seconds: float = 2.0, hz: float = 440.0, sr: int = SR) -> Path:
    """A tone with a little noise, the same on every call."""
    path.parent.mkdir(parents=True, exist_ok=True)
    times = np.arange(round(seconds * sr)) / sr
    noise = np.random.default_rng(0).standard_normal(len(times))
    sf.write(path, 0.5 * np.sin(2 * np.pi * hz * times) + 0.01 * noise, sr)
    return path


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Two genres of three clips of different lengths, one file that is no audio."""
    for i, genre in enumerate(("fado", "polka")):
        for k in range(3):
            write_tone(tmp_path / "music" / genre / f"{k}.wav", seconds=1 + k, hz=300 + 100 * i + k)
    (tmp_path / "music" / "fado" / "broken.mp3").write_bytes(b"no audio")
    return tmp_path / "music"
