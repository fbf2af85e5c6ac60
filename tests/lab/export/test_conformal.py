"""Prediction sets keep what they promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from genrescope.data.track import Track
from genrescope.lab.export.conformal import artist_folds, measure, measure_grouped
from genrescope.model.prediction_sets import depths, fit_threshold, prediction_set

Array = NDArray[Any]


def clips(n: int, *, seed: int, sharpness: float = 1.0) -> tuple[Array, Array]:
    """Classes drawn from distributions over ten, and what a model says: the same, sharpened."""
    rng = np.random.default_rng(seed)
    true = rng.dirichlet(np.full(10, 0.3), n)
    labels = (true.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    told = np.maximum(true, 1e-9) ** sharpness
    return labels, told / told.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("sharpness", [1.0, 3.0, 0.3])
@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_sets_hold_the_truth_as_often_as_promised(sharpness: float, coverage: float) -> None:
    threshold = fit_threshold(*clips(4000, seed=0, sharpness=sharpness), coverage=coverage)
    found = measure(*clips(4000, seed=1, sharpness=sharpness), threshold)
    # Ties at depth 0 (the first guess) may give more than was asked for, never less.
    assert found.coverage >= coverage - 0.02
    assert found.coverage <= max(coverage + 0.02, (depths(*clips(4000, seed=1)) == 0).mean() + 0.02)
    assert found.low < found.coverage < found.high


def test_a_few_clips_promise_on_average_as_well() -> None:
    shares = [
        measure(*clips(200, seed=1000 + s), fit_threshold(*clips(30, seed=s))).coverage
        for s in range(200)
    ]
    assert 0.9 - 0.01 <= np.mean(shares) <= 0.9 + 2 / 31 + 0.01


def test_too_few_clips_take_all_classes() -> None:
    labels, probs = clips(5, seed=0)
    assert fit_threshold(labels, probs) == 1.0
    assert measure(labels, probs, 1.0).size == 10
    assert measure(labels, probs, 1.0).coverage == 1.0


@given(seed=st.integers(0, 10_000), threshold=st.floats(0, 1))
def test_the_set_of_a_prediction_is_the_one_that_was_measured(seed: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.full(6, 0.5))
    inside = prediction_set(probs, threshold)
    assert inside[0] == probs.argmax()
    assert list(probs[inside]) == sorted(probs[inside], reverse=True)
    for label in range(6):
        held = depths(np.array([label]), probs[None])[0] <= threshold
        assert held == (label in inside)
    assert measure(np.array([0]), probs[None], threshold).size == len(inside)


def test_groups_are_never_calibrated_on_themselves() -> None:
    labels, probs = clips(3000, seed=0)
    groups = np.arange(3000) % 5
    fair = measure_grouped(labels, probs, groups)
    assert fair.coverage == pytest.approx(0.9, abs=0.02)
    # A group on which the model fails cannot be covered by what the others say.
    lost = groups == 2
    wrong = labels.copy()
    wrong[lost] = probs[lost].argmin(axis=1)
    found = measure_grouped(wrong, probs, groups)
    assert found.coverage < 0.83
    with pytest.raises(ValueError, match="two"):
        measure_grouped(labels, probs, np.zeros(3000))


def test_no_artist_is_in_two_folds() -> None:
    tracks = [Track(f"t{i}", "ab"[i % 2], artist=f"artist {i % 17}") for i in range(100)]
    folds = artist_folds(tracks)
    for k in range(17):
        assert len({folds[i] for i in range(100) if i % 17 == k}) == 1
    sizes = np.bincount(folds, minlength=5)
    assert sizes.max() - sizes.min() <= 6


def test_nothing_is_not_measured() -> None:
    with pytest.raises(ValueError, match="no clips"):
        measure(np.zeros(0, int), np.zeros((0, 3)), 0.5)
