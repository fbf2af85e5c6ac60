"""Scores of a classifier, at window or at track level.

Conventions: ``y_true`` int (n,) class indices; ``probs`` float (n, n_classes), rows
summing to 1. A confusion matrix has the truth in its rows. Macro means are over the classes
that have an example, so that a genre which a set lacks takes nothing away; the precision of
one that is never predicted counts as 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrescope.model.inference import softmax
from genrescope.model.interval import N_BOOT, Interval, draw, group_numbers, interval

Array = NDArray[Any]


@dataclass(frozen=True)
class Scores:
    """The figures every report shows of one set of predictions."""

    n: int
    accuracy: Interval
    precision: Interval
    recall: Interval
    f1: Interval
    calibration_error: float
    log_loss: float

    def to_dict(self) -> dict[str, Any]:
        """Nested dict of plain numbers, ready for JSON."""
        return asdict(self)


def validate(y_true: Array, probs: Array) -> None:
    """Raise ValueError unless the two fit each other and ``probs`` holds distributions."""
    if probs.ndim != 2 or y_true.shape != probs.shape[:1]:
        raise ValueError(f"y_true {y_true.shape} does not fit probs {probs.shape}")
    if len(y_true) == 0:
        raise ValueError("no predictions to score")
    if not np.isfinite(probs).all() or not np.allclose(probs.sum(axis=1), 1, atol=1e-3):
        raise ValueError("each row of probs must be finite and sum to 1")
    if y_true.min() < 0 or y_true.max() >= probs.shape[1]:
        raise ValueError(f"a label lies outside the {probs.shape[1]} classes")


def confusion_matrix(y_true: Array, y_pred: Array, n_classes: int) -> NDArray[np.int64]:
    """Counts int64 (n_classes, n_classes); row = truth, column = prediction."""
    flat = np.bincount(y_true * n_classes + y_pred, minlength=n_classes * n_classes)
    return flat.reshape(n_classes, n_classes)


def _ratio(a: Array, b: Array) -> Array:
    return np.divide(a, b, out=np.zeros(np.shape(a)), where=b > 0)


def accuracy_of(confusion: Array) -> Array:
    """Share of correct predictions; ``confusion`` (..., k, k) -> (...)."""
    return _ratio(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1)))


def precision_of(confusion: Array) -> Array:
    """Macro precision: mean over classes of hits / predicted."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return _macro(_ratio(hits, confusion.sum(axis=-2)), confusion)


def recall_of(confusion: Array) -> Array:
    """Macro recall: mean over classes of hits / true."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return _macro(_ratio(hits, confusion.sum(axis=-1)), confusion)


def f1_of(confusion: Array) -> Array:
    """Macro F1: mean over classes of the harmonic mean of precision and recall."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    both = confusion.sum(axis=-2) + confusion.sum(axis=-1)
    return _macro(_ratio(2 * hits, both), confusion)


def _macro(by_class: Array, confusion: Array) -> Array:
    there = confusion.sum(axis=-1) > 0
    return _ratio((by_class * there).sum(axis=-1), there.sum(axis=-1))


def calibration_error(y_true: Array, probs: Array, *, n_bins: int = 10) -> float:
    """Expected calibration error of the top prediction, equal-width bins (Guo et al. 2017)."""
    return confidence_error(probs.max(axis=1), probs.argmax(axis=1) == y_true, n_bins=n_bins)


def confidence_error(confidence: ArrayLike, hits: ArrayLike, *, n_bins: int = 10) -> float:
    """Expected calibration error of confidences from 0 to 1, bins of equal width.

    Args:
        confidence: float (n,).
        hits: bool (n,), which of the answers were right.
        n_bins: number of bins.
    """
    confidence, hits = np.asarray(confidence), np.asarray(hits)
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    gaps = [
        (bins == b).mean() * abs(hits[bins == b].mean() - confidence[bins == b].mean())
        for b in np.unique(bins)
    ]
    return float(sum(gaps))


def log_loss(y_true: Array, probs: Array) -> float:
    """Mean negative log probability of the truth, in nats."""
    return float(-np.log(np.maximum(probs[np.arange(len(y_true)), y_true], 1e-12)).mean())


def score(
    y_true: Array,
    probs: Array,
    *,
    groups: Sequence[str] | None = None,
    n_boot: int = N_BOOT,
    seed: int = 0,
) -> Scores:
    """All scores, with 95 % percentile-bootstrap intervals.

    Args:
        y_true: int (n,).
        probs: float (n, n_classes).
        groups: (n,) what is drawn together in the bootstrap, such as the track each
            window comes from; each row by itself by default.
        n_boot: bootstrap rounds.
        seed: of the bootstrap.

    Raises:
        ValueError: when the arrays do not fit each other.
    """
    y_true = np.asarray(y_true, dtype=np.int64)
    validate(y_true, probs)
    k = probs.shape[1]
    y_pred = probs.argmax(axis=1)
    member = group_numbers(len(y_true), groups)
    cells = np.zeros((int(member.max()) + 1, k * k))
    np.add.at(cells, (member, y_true * k + y_pred), 1)
    drawn = (draw(len(cells), n_boot=n_boot, seed=seed) @ cells).reshape(n_boot, k, k)
    confusion = cells.sum(axis=0).reshape(k, k)

    def score_of(of: Callable[[Array], Array]) -> Interval:
        return interval(float(of(confusion)), of(drawn))

    return Scores(
        n=len(y_true),
        accuracy=score_of(accuracy_of),
        precision=score_of(precision_of),
        recall=score_of(recall_of),
        f1=score_of(f1_of),
        calibration_error=calibration_error(y_true, probs),
        log_loss=log_loss(y_true, probs),
    )


def by_track(
    tracks: Sequence[str], y_true: Array, probs: Array, *, vote: str = "mean"
) -> tuple[list[str], NDArray[np.int64], NDArray[np.float64]]:
    """Join window predictions into one per track, in order of first appearance.

    Args:
        tracks: (n,) track ID of each window.
        y_true: int (n,).
        probs: float (n, n_classes).
        vote: ``mean`` of the probabilities, or ``hard``: the share of windows won.

    Returns:
        Track IDs (m,), labels int64 (m,), probs float64 (m, n_classes).
    """
    if vote == "hard":
        probs = np.eye(probs.shape[1])[probs.argmax(axis=1)]
    elif vote != "mean":
        raise ValueError(f"unknown vote {vote!r}: mean or hard")
    names = list(dict.fromkeys(tracks))
    where = {name: i for i, name in enumerate(names)}
    member = np.array([where[t] for t in tracks])
    total = np.zeros((len(names), probs.shape[1]))
    np.add.at(total, member, probs)
    labels = np.zeros(len(names), dtype=np.int64)
    labels[member] = y_true
    return names, labels, total / np.bincount(member)[:, None]


def fit_temperature(logits: Sequence[Array], y_true: Array) -> float:
    """Temperature that minimises the log loss of clips, the means of softmax(logits / T).

    Args:
        logits: of each clip's windows, n arrays (n_windows, n_classes), n_windows of any number.
        y_true: int (n,).

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks".
    """
    counts = np.array([len(windows) for windows in logits])
    first = np.cumsum(counts) - counts
    flat = np.concatenate(logits)
    grid = np.exp(np.linspace(np.log(0.1), np.log(10), 200))

    def loss(temperature: float) -> float:
        sums = np.add.reduceat(softmax(flat, temperature), first)
        return log_loss(y_true, sums / counts[:, None])

    return float(grid[int(np.argmin([loss(t) for t in grid]))])
