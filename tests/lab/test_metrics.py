"""Metrics against scikit-learn, by hand, and as properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from genrescope.lab import metrics


def _random(seed: int, n: int = 60, k: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(k), rng.integers(0, k, n - k)])
    probs = rng.dirichlet(np.full(k, 0.5), n)
    return y, probs


@pytest.mark.slow
@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_scores_equal_scikit_learns(seed: int) -> None:
    y, probs = _random(seed)
    ours = metrics.score(y, probs, n_boot=50)
    pred = probs.argmax(axis=1)
    assert ours.accuracy.value == pytest.approx(sk.accuracy_score(y, pred))
    args = {"average": "macro", "zero_division": 0, "labels": np.arange(4)}
    assert ours.precision.value == pytest.approx(sk.precision_score(y, pred, **args))
    assert ours.recall.value == pytest.approx(sk.recall_score(y, pred, **args))
    assert ours.f1.value == pytest.approx(sk.f1_score(y, pred, **args))
    assert ours.log_loss == pytest.approx(sk.log_loss(y, probs, labels=np.arange(4)))
    assert (metrics.confusion_matrix(y, pred, 4) == sk.confusion_matrix(y, pred)).all()


def test_a_class_without_an_example_takes_nothing_from_the_macro_means() -> None:
    y = np.array([0, 0, 0, 2, 2])
    pred = np.array([0, 0, 1, 2, 2])  # class 1 is predicted, 1 and 3 have no example
    scores = metrics.score(y, np.eye(4)[pred], n_boot=50)
    args = {"average": "macro", "zero_division": 0, "labels": [0, 2]}
    assert scores.precision.value == pytest.approx(sk.precision_score(y, pred, **args))
    assert scores.recall.value == pytest.approx(sk.recall_score(y, pred, **args))
    assert scores.f1.value == pytest.approx(sk.f1_score(y, pred, **args))


def test_a_faultless_classifier_is_faultless_in_every_draw() -> None:
    y = np.array([0, 0, 0, 0, 1, 2])  # draws without class 1 or 2 are common
    scores = metrics.score(y, np.eye(3)[y])
    for score in (scores.precision, scores.recall, scores.f1):
        assert (score.value, score.low, score.high) == (1, 1, 1)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    y, probs = _random(seed)
    order = np.random.default_rng(seed + 1).permutation(len(y))
    a, b = metrics.score(y, probs, n_boot=10), metrics.score(y[order], probs[order], n_boot=10)
    assert a.accuracy.value == b.accuracy.value
    assert a.calibration_error == pytest.approx(b.calibration_error)


@pytest.mark.slow
def test_the_interval_holds_the_value_and_narrows_with_more_data() -> None:
    small, large = (metrics.score(*_random(3, n)).accuracy for n in (40, 2000))
    for score in (small, large):
        assert score.low <= score.value <= score.high
    assert large.high - large.low < (small.high - small.low) / 3


def test_windows_of_one_track_are_drawn_together() -> None:
    y, probs = _random(5, 40)
    y, probs = np.repeat(y, 10), np.repeat(probs, 10, axis=0)
    groups = [str(i // 10) for i in range(len(y))]
    loose, grouped = metrics.score(y, probs), metrics.score(y, probs, groups=groups)
    assert grouped.accuracy.value == loose.accuracy.value
    assert grouped.accuracy.high - grouped.accuracy.low > 2 * (
        loose.accuracy.high - loose.accuracy.low
    )


def test_calibration_error_of_a_coin_that_says_it_is_sure() -> None:
    y = np.array([0, 1] * 50)
    probs = np.tile([0.999, 0.001], (100, 1))
    assert metrics.calibration_error(y, probs) == pytest.approx(0.499)
    honest = np.tile([0.5 + 1e-9, 0.5 - 1e-9], (100, 1))
    assert metrics.calibration_error(y, honest) == pytest.approx(0, abs=1e-6)


def test_votes_join_windows_into_tracks() -> None:
    tracks = ["b", "a", "b", "b"]
    y = np.array([1, 0, 1, 1])
    probs = np.array([[0.9, 0.1], [0.7, 0.3], [0.45, 0.55], [0.4, 0.6]])
    names, labels, mean = metrics.by_track(tracks, y, probs)
    assert names == ["b", "a"]
    assert labels.tolist() == [1, 0]
    assert mean[0] == pytest.approx([1.75 / 3, 1.25 / 3])
    _, _, hard = metrics.by_track(tracks, y, probs, vote="hard")
    assert hard[0] == pytest.approx([1 / 3, 2 / 3])
    with pytest.raises(ValueError, match="vote"):
        metrics.by_track(tracks, y, probs, vote="loud")


@pytest.mark.slow
def test_the_temperature_undoes_a_known_one() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (5000, 5))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    y = (p.cumsum(axis=1) > rng.random((5000, 1))).argmax(axis=1)
    assert metrics.fit_temperature(logits[:, None] * 3, y) == pytest.approx(3, rel=0.1)
    # As often as a clip is long: its mean over windows that are alike is that of one.
    windows = [np.repeat(z[None] * 3, 1 + i % 4, axis=0) for i, z in enumerate(logits)]
    assert metrics.fit_temperature(windows, y) == pytest.approx(3, rel=0.1)


@pytest.mark.slow
def test_a_short_clip_does_not_spoil_the_temperature_of_long_ones() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 5, 400)
    clips = [4 * np.eye(5)[label] + rng.normal(0, 4, (20, 5)) for label in y]
    alone = metrics.fit_temperature(clips, y)
    right = next(i for i, clip in enumerate(clips) if clip[0].argmax() == y[i])
    with_one = metrics.fit_temperature([*clips, clips[right][:1]], np.append(y, y[right]))
    assert with_one == pytest.approx(alone, rel=0.1)
    assert metrics.fit_temperature([clip[:1] for clip in clips], y) > 2 * alone


@pytest.mark.parametrize(
    ("y", "probs", "message"),
    [
        (np.array([0]), np.array([[0.5, 0.5], [0.5, 0.5]]), "does not fit"),
        (np.array([], int), np.zeros((0, 2)), "no predictions"),
        (np.array([0]), np.array([[0.9, 0.9]]), "sum to 1"),
        (np.array([2]), np.array([[0.5, 0.5]]), "outside"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(y: np.ndarray, probs: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metrics.score(y, probs)


def test_confidence_that_holds_has_no_error() -> None:
    assert metrics.confidence_error([0.75] * 4, [1, 1, 1, 0]) == 0
    assert metrics.confidence_error([0.95] * 4, [1, 1, 0, 0]) == pytest.approx(0.45)
