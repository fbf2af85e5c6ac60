"""How sure a figure is: the percentile bootstrap (Efron 1979), over groups of what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

N_BOOT = 2_000
"""Usual number of bootstrap rounds."""


@dataclass(frozen=True)
class Interval:
    """A score with its percentile-bootstrap interval (95 % by default)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def interval(value: float, drawn: NDArray[np.floating[Any]]) -> Interval:
    """A score with the interval that holds 95 % of what it was in each round, (n_boot,)."""
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(value, float(low), float(high))


def group_numbers(n: int, groups: Sequence[str] | None) -> NDArray[np.int64]:
    """For each of n rows, (n,), the number of its group from 0 on: its own where there are none."""
    if groups is None:
        return np.arange(n)
    return np.asarray(np.unique(np.asarray(groups), return_inverse=True)[1], np.int64)


def draw(n_groups: int, *, n_boot: int = N_BOOT, seed: int) -> NDArray[np.int64]:
    """How often each group is drawn in each round, (n_boot, n_groups): n_groups draws a round."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=n_boot)


def mean_interval(
    values: ArrayLike,
    *,
    groups: Sequence[str] | None = None,
    n_boot: int = N_BOOT,
    seed: int = 0,
) -> Interval:
    """The mean of values, with its 95 % percentile-bootstrap interval.

    Args:
        values: float (n,), such as the points of each clip.
        groups: (n,), what is drawn together, such as the windows of a track or the tracks of an
            artist; each value by itself by default.
        n_boot: bootstrap rounds.
        seed: of the bootstrap.
    """
    values = np.asarray(values, np.float64)
    member = group_numbers(len(values), groups)
    sums, sizes = np.bincount(member, values), np.bincount(member)
    drawn = draw(len(sums), n_boot=n_boot, seed=seed)
    return interval(float(values.mean()), (drawn @ sums) / (drawn @ sizes))


def paired_bootstrap(
    first: ArrayLike,
    second: ArrayLike,
    *,
    groups: Sequence[str] | None = None,
    n_boot: int = N_BOOT,
    seed: int = 0,
) -> Interval:
    """Mean of ``first`` less that of ``second``, with its 95 % percentile-bootstrap interval.

    Both stand for the same clips, so what makes a clip hard for both does not widen the interval.

    Args:
        first, second: float (n,), such as whether two models were right about each clip.
        groups, n_boot, seed: as of `mean_interval`.
    """
    difference = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    return mean_interval(difference, groups=groups, n_boot=n_boot, seed=seed)
