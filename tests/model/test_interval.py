"""Intervals of figures, by the percentile bootstrap."""

from __future__ import annotations

import numpy as np
import pytest

from genrescope.model.interval import mean_interval, paired_bootstrap


def test_a_paired_bootstrap_is_surer_than_two_intervals() -> None:
    rng = np.random.default_rng(0)
    tracks = [f"t{i // 2}" for i in range(400)]
    better = (rng.random(400) < 0.6).astype(float)
    worse = better.copy()
    worse[:40] = 0  # never better, sometimes worse
    found = paired_bootstrap(better, worse, groups=tracks)
    assert found.value == pytest.approx(better[:40].sum() / 400)
    assert 0 < found.low < found.value < found.high
    assert found.high - found.low < 0.06 < 2 * 1.96 * np.sqrt(0.24 / 400)
    same = paired_bootstrap(better, better, groups=tracks)
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_the_interval_of_a_mean_is_as_wide_as_its_standard_error_and_wider_for_groups() -> None:
    points = np.tile([1.0, 1.0, 0.0, 0.0], 100)
    alone = mean_interval(points, seed=1)
    assert alone.value == 0.5
    assert (alone.high - alone.low) / 2 == pytest.approx(1.96 * 0.5 / np.sqrt(400), rel=0.1)
    pairs = mean_interval(points, groups=[f"t{i // 2}" for i in range(400)], seed=1)
    assert (pairs.high - pairs.low) / (alone.high - alone.low) == pytest.approx(2**0.5, rel=0.1)


def test_groups_of_one_size_that_agree_within_are_as_few_values() -> None:
    rng = np.random.default_rng(0)
    points = rng.random(40)
    alone = mean_interval(points)
    names = [f"artist {i // 3}" for i in range(120)]
    grouped = mean_interval(np.repeat(points, 3), groups=names)
    # Names are numbered by their order, in which 10 stands before 2.
    order = [int(name.split()[1]) for name in sorted(set(names))]
    sorted_alone = mean_interval(points[order])
    assert grouped.value == pytest.approx(alone.value)
    assert (grouped.low, grouped.high) == pytest.approx((sorted_alone.low, sorted_alone.high))


def test_the_same_seed_draws_the_same() -> None:
    points = np.random.default_rng(0).random(30)
    assert mean_interval(points, seed=3) == mean_interval(points, seed=3)
    assert mean_interval(points, seed=3) != mean_interval(points, seed=4)


def test_an_interval_prints_in_three_places() -> None:
    assert str(mean_interval([1.0, 1.0])) == "1.000 [1.000, 1.000]"
