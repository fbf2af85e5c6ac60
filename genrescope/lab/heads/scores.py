"""How right tempi and keys are, by the definitions of mir_eval.

A tempo is right (Accuracy1) within 4 % of the annotated one, or (Accuracy2) of its double, triple,
half or third: Gouyon et al. 2006, "An Experimental Comparison of Audio Tempo Induction
Algorithms". A key that is not right gets part of a point where it is a fifth above, relative or
parallel: the weights of MIREX.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrescope.model.interval import mean_interval
from genrescope.model.tempo import FACTORS, TOLERANCE

FIFTH, RELATIVE, PARALLEL = 0.5, 0.3, 0.2
"""What a key is worth that is not the right one (MIREX audio key detection)."""


def tempo_hits(
    truth: ArrayLike, estimated: ArrayLike
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which tempi are right by Accuracy1, and by Accuracy2.

    Args:
        truth, estimated: bpm, (n,).
    """
    bpm, found = np.asarray(truth, np.float64), np.asarray(estimated, np.float64)
    near = [np.abs(found - bpm * factor) <= TOLERANCE * bpm * factor for factor in FACTORS]
    return near[0], np.any(near, axis=0)


def key_points(truth: ArrayLike, estimated: ArrayLike) -> NDArray[np.float64]:
    """What each key is worth, 0 to 1, float64 (n,).

    Args:
        truth, estimated: places in `genrescope.model.key.KEYS`, (n,).
    """
    y, found = np.asarray(truth), np.asarray(estimated)
    mode, tonic, found_mode, found_tonic = y // 12, y % 12, found // 12, found % 12
    up = (found_tonic - tonic) % 12
    relative = (mode != found_mode) & (up == np.where(mode == 0, 9, 3))
    return np.select(
        [y == found, (mode == found_mode) & (up == 7), relative, (mode != found_mode) & (up == 0)],
        [1.0, FIFTH, RELATIVE, PARALLEL],
    )


def figure(points: ArrayLike, *, n_boot: int = 2000, seed: int = 0) -> dict[str, Any]:
    """The mean of points from 0 to 1, with its 95 % bootstrap interval, as a bundle keeps it."""
    mean = mean_interval(points, n_boot=n_boot, seed=seed)
    return {
        "n": len(np.asarray(points)),
        "value": round(mean.value, 4),
        "low": round(mean.low, 4),
        "high": round(mean.high, 4),
    }


def by_genre(
    points: Mapping[str, NDArray[np.floating[Any]]], genres: NDArray[np.str_]
) -> dict[str, dict[str, float]]:
    """The mean of each kind of points for each genre, to 0.01."""
    return {
        str(genre): {
            name: round(float(values[genres == genre].mean()), 2) for name, values in points.items()
        }
        for genre in np.unique(genres)
    }
