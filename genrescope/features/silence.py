"""Where a recording is silent: before the music, after it, or in a gap."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SILENT_DB = 55.0
"""Below a clip's loudest cell; two of 693 GTZAN clips are that quiet for half a second."""
SHORTEST_S = 0.5


def sounding(features: NDArray[np.floating[Any]], *, frame_rate: float) -> NDArray[np.int64]:
    """Which frames of a clip are outside of silences.

    A silence is `SHORTEST_S` or more in which no cell comes within `SILENT_DB` of the clip's
    loudest. It says nothing of the genre, and would count as calm music.

    Args:
        features: dB, (n_bins, n_frames).
        frame_rate: frames per second.

    Returns:
        int64, rising; all frames of a clip that is silent throughout.
    """
    loudest = features.max(axis=0)
    quiet = loudest < loudest.max(initial=-np.inf) - SILENT_DB
    edges = np.flatnonzero(np.diff(quiet, prepend=False, append=False))
    sounds = np.ones(len(quiet), bool)
    for start, end in edges.reshape(-1, 2):
        if end - start >= SHORTEST_S * frame_rate:
            sounds[start:end] = False
    return np.flatnonzero(sounds)
