from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrescope.library.learn.head import artist_folds, fit, fit_temperature, train, unit
from genrescope.model.inference import softmax


def _clusters(
    n: int, *, spread: float, seed: int = 0, n_classes: int = 4, d: int = 16
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Tracks around a centre for each class, two by each artist; rows of length 1."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(n_classes, d))
    labels = np.arange(n) % n_classes
    rows = centres[labels] + spread * rng.normal(size=(n, d))
    return unit(rows), labels, [f"{label}-{i // (2 * n_classes)}" for i, label in enumerate(labels)]


def test_genres_that_lie_apart_are_told() -> None:
    rows, labels, artists = _clusters(120, spread=0.5)
    fitted = fit(rows, labels, artists, seed=0)
    assert (fitted.held_out.argmax(axis=1) == labels).mean() > 0.95
    others, truth, _ = _clusters(80, spread=0.5, seed=1)
    assert (fitted.head.logits(others).argmax(axis=1) == truth).mean() > 0.95


@pytest.mark.slow
def test_genres_that_are_the_same_are_not_told() -> None:
    rows, _, artists = _clusters(120, spread=0.5)
    labels = np.random.default_rng(0).integers(0, 3, 120)
    fitted = fit(rows, labels, artists, seed=0)
    assert (fitted.held_out.argmax(axis=1) == labels).mean() < 0.55
    assert fitted.held_out.max() < 0.9  # and it does not pretend


@pytest.mark.slow
def test_sets_hold_the_true_genre_as_often_as_they_promise() -> None:
    rows, labels, artists = _clusters(400, spread=2.5)
    fitted = fit(rows, labels, artists, seed=0)
    held = fitted.sets[np.arange(400), labels].mean()
    assert 0.85 <= held <= 0.97
    assert fitted.sets.sum(axis=1).mean() < 4


@pytest.mark.slow
def test_the_same_seed_gives_the_same_head() -> None:
    rows, labels, artists = _clusters(80, spread=1.0)
    first, again = (fit(rows, labels, artists, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.head.weights, again.head.weights)


def test_a_large_class_does_not_swallow_a_small_one() -> None:
    rows, labels, _ = _clusters(400, spread=1.5)
    keep = (labels != 0) | (np.arange(400) < 40)
    head = train(rows[keep], labels[keep], 4, 1.0)
    others, truth, _ = _clusters(200, spread=1.5, seed=1)
    assert (head.logits(others).argmax(axis=1) == truth)[truth == 0].mean() > 0.6


@given(st.lists(st.integers(0, 30), min_size=20, max_size=80), st.integers(0, 5))
def test_no_artist_is_in_two_folds(artist: list[int], seed: int) -> None:
    labels = np.arange(len(artist)) % 3
    folds = artist_folds(labels, [str(a) for a in artist], n_folds=5, seed=seed)
    for name in set(artist):
        assert len({int(f) for f, a in zip(folds, artist, strict=True) if a == name}) == 1


def test_folds_are_of_about_the_same_size() -> None:
    labels = np.arange(200) % 4
    folds = artist_folds(labels, [str(i // 2) for i in range(200)], n_folds=5, seed=0)
    assert set(np.bincount(folds)) <= set(range(36, 45))


def test_the_temperature_of_true_probabilities_is_1() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4_000, 3)) * 2
    labels = np.array([rng.choice(3, p=p) for p in softmax(logits)])
    assert fit_temperature(logits, labels) == pytest.approx(1, abs=0.1)
    assert fit_temperature(logits * 3, labels) == pytest.approx(3, abs=0.3)
