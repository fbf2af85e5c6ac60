"""How well prediction sets (`genrescope.model.prediction_sets`) keep what they promise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrescope.data.groups import artist_groups
from genrescope.data.track import Track
from genrescope.model.prediction_sets import COVERAGE, depths, fit_threshold, in_sets

Array = NDArray[Any]


@dataclass(frozen=True)
class Coverage:
    """How sets fared on clips they were not fitted on.

    Attributes:
        n: clips.
        coverage: share whose set holds the true class.
        low, high: its 95 % interval (Wilson 1927).
        size: mean number of classes in a set.
        single: share of sets of one class.
    """

    n: int
    coverage: float
    low: float
    high: float
    size: float
    single: float

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers by name, ready for JSON."""
        return asdict(self)


def measure(labels: Array, probs: Array, threshold: float | Array) -> Coverage:
    """Coverage and size of the sets at a threshold, or at one for each clip (n,).

    Raises:
        ValueError: no clips.
    """
    if len(labels) == 0:
        raise ValueError("no clips to measure sets on")
    limit = np.broadcast_to(threshold, len(labels))
    held = depths(labels, probs) <= limit
    sizes = in_sets(probs, threshold).sum(axis=1)
    low, high = _wilson(int(held.sum()), len(held))
    return Coverage(
        n=len(held),
        coverage=float(held.mean()),
        low=low,
        high=high,
        size=float(sizes.mean()),
        single=float((sizes == 1).mean()),
    )


def measure_grouped(
    labels: Array, probs: Array, groups: Sequence[Any] | Array, *, coverage: float = COVERAGE
) -> Coverage:
    """Coverage where each group's threshold is fitted on the other groups alone.

    Args:
        labels: int (n,), of clips that the model has not learned.
        probs: (n, n_classes).
        groups: (n,) such as the artist-grouped fold a clip is in: no artist in two.
        coverage: what the sets promise.

    Raises:
        ValueError: fewer than two groups.
    """
    limits = thresholds_of_others(labels, probs, groups, coverage=coverage)
    return measure(labels, probs, limits)


def thresholds_of_others(
    labels: Array, probs: Array, groups: Sequence[Any] | Array, *, coverage: float = COVERAGE
) -> NDArray[np.float64]:
    """For each clip, (n,), the threshold that is fitted on the groups it is not in.

    Args:
        labels, probs, groups, coverage: as for `measure_grouped`.

    Raises:
        ValueError: fewer than two groups.
    """
    member = np.asarray(groups)
    names = np.unique(member)
    if len(names) < 2:
        raise ValueError("coverage by groups needs two of them")
    limits = np.zeros(len(labels))
    for name in names:
        here = member == name
        limits[here] = fit_threshold(labels[~here], probs[~here], coverage=coverage)
    return limits


def artist_folds(tracks: Sequence[Track], *, n_folds: int = 5, seed: int = 0) -> NDArray[np.int64]:
    """A fold for each track (n,), no artist in two: groups for `measure_grouped`."""
    groups = artist_groups(tracks)
    order = np.random.default_rng(seed).permutation(len(groups))
    folds, sizes = np.zeros(len(tracks), np.int64), np.zeros(n_folds)
    for group in sorted(order, key=lambda g: -len(groups[g])):
        smallest = int(sizes.argmin())
        folds[groups[group]] = smallest
        sizes[smallest] += len(groups[group])
    return folds


def _wilson(hits: int, n: int) -> tuple[float, float]:
    z = 1.96
    centre = (hits + z * z / 2) / (n + z * z)
    half = z * math.sqrt(hits * (n - hits) / n + z * z / 4) / (n + z * z)
    return max(0.0, centre - half), min(1.0, centre + half)
