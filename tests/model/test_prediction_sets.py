"""Prediction sets: which classes are in, and how far they must reach."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrescope.model.prediction_sets import depths, fit_threshold, in_sets, prediction_set


def _probs(seed: int, n: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(5), size=n)


@given(st.integers(0, 1_000), st.floats(0, 1))
def test_sets_of_many_clips_are_those_of_each(seed: int, threshold: float) -> None:
    probs = _probs(seed)
    for row, inside in zip(probs, in_sets(probs, threshold), strict=True):
        assert set(np.flatnonzero(inside)) == set(prediction_set(row, threshold).tolist())


@given(st.integers(0, 1_000))
def test_a_set_reaches_the_true_class_at_its_depth_and_not_before(seed: int) -> None:
    probs, labels = _probs(seed), np.arange(8) % 5
    deep, rows = depths(labels, probs), np.arange(8)
    assert in_sets(probs, deep)[rows, labels].all()
    before = np.nextafter(deep, -1)
    first = probs.argmax(axis=1) == labels
    assert not in_sets(probs, before)[rows, labels][~first].any()


def test_no_set_is_empty_and_the_most_probable_is_first() -> None:
    row = np.array([0.2, 0.5, 0.3])
    assert prediction_set(row, 0.0).tolist() == [1]
    assert prediction_set(row, 0.6).tolist() == [1, 2]
    assert prediction_set(row, 1.0).tolist() == [1, 2, 0]


def test_few_clips_promise_nothing_less_than_all_classes() -> None:
    assert fit_threshold(np.zeros(5, np.int64), np.full((5, 2), 0.5)) == 1.0


def test_a_threshold_is_the_depth_that_the_promised_share_needs() -> None:
    # Depths are 0.5 for the first ten clips and 0 for the other 89.
    probs = np.tile([0.5, 0.3, 0.2], (99, 1))
    labels = np.where(np.arange(99) < 10, 1, 0)
    assert fit_threshold(labels, probs, coverage=0.85) == 0
    assert fit_threshold(labels, probs, coverage=0.95) == pytest.approx(0.5)
