"""Sets of genres that hold the true one as often as they promise (split conformal prediction).

Classes join a set from the most probable down, while those already in it have no more than a
threshold of probability together, so that a set is never empty. The threshold is fitted on clips
that were not learned.

Source: Romano, Sesia and Candes 2020, "Classification with Valid and Adaptive Coverage", without
their randomisation, which errs on the side of more classes; the finite-sample quantile is that of
Vovk, Gammerman and Shafer 2005.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

COVERAGE = 0.9
"""Share of clips whose set is to hold the true class."""


def prediction_set(probs: NDArray[np.floating], threshold: float) -> NDArray[np.int64]:
    """The set of a clip.

    Args:
        probs: (n_classes,), summing to 1.
        threshold: see `fit_threshold`.

    Returns:
        int64 indices, most probable first.
    """
    order, before = _before(probs[None])
    inside: NDArray[np.int64] = order[0, : max(1, int((before <= threshold).sum()))]
    return inside


def in_sets(probs: Array, threshold: float | Array) -> NDArray[np.bool_]:
    """Which classes are in the set of each clip.

    Args:
        probs: (n, n_classes), rows summing to 1.
        threshold: for all, or one for each, (n,).

    Returns:
        bool (n, n_classes).
    """
    order, before = _before(probs)
    limit = np.broadcast_to(threshold, len(probs))
    inside = np.zeros(probs.shape, bool)
    np.put_along_axis(inside, order, before <= limit[:, None], axis=1)
    return inside


def depths(labels: Array, probs: Array) -> NDArray[np.float64]:
    """Probability of the classes that rank before the true one: how deep a set must reach.

    Args:
        labels: int (n,).
        probs: (n, n_classes), rows summing to 1.

    Returns:
        float64 (n,), 0 where the true class is the most probable.
    """
    order, before = _before(probs)
    rank = np.argmax(order == np.asarray(labels)[:, None], axis=1)
    return np.asarray(before[np.arange(len(rank)), rank])


def fit_threshold(labels: Array, probs: Array, *, coverage: float = COVERAGE) -> float:
    """How deep sets must reach to hold the true class with a given probability.

    For clips exchangeable with these, sets hold the true class with at least that probability.

    Args:
        labels: int (n,), of held-out clips.
        probs: (n, n_classes).
        coverage: within 0 to 1.

    Returns:
        The threshold, 1 where there are too few clips to promise less than all classes.
    """
    deep = np.sort(depths(labels, probs))
    rank = math.ceil(coverage * (len(deep) + 1))
    return float(deep[rank - 1]) if rank <= len(deep) else 1.0


def _before(probs: Array) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Classes from the most probable down, and the probability of those before each."""
    order = np.argsort(-probs, axis=1, kind="stable")
    ordered = np.take_along_axis(np.asarray(probs, np.float64), order, axis=1)
    return order, np.cumsum(ordered, axis=1) - ordered
