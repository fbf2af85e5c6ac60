"""A linear head on what a net tells: fitted, calibrated and measured with artists kept apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrescope.model.inference import softmax
from genrescope.model.prediction_sets import fit_threshold, in_sets

N_FOLDS = 5
GENRES_WEIGHT = 2.0
"""Of the net's probabilities beside its embedding. By the embedding alone 15 tracks a genre are
too few to find again what the net knows of genres; docs/results/collection.md."""
_PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
_TEMPERATURES = np.exp(np.linspace(-1.5, 1.5, 121))
_DOUBTFUL = 0.06  # share of held-out tracks that get the flag "uncertain"

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Head:
    """Logits of what `seen` gives: ``rows @ weights + bias``.

    Attributes:
        weights: float64 (d, n_classes).
        bias: float64 (n_classes,).
    """

    weights: Floats
    bias: Floats

    def logits(self, rows: Floats) -> Floats:
        """float64 (n, n_classes) of rows (n, d)."""
        answer: Floats = rows @ self.weights + self.bias
        return answer


@dataclass(frozen=True, eq=False)
class Fit:
    """A head with what tracks of artists it had not learned say of it.

    Attributes:
        head: fitted on all tracks.
        temperature: what its logits are divided by.
        uncertain: confidence below which an answer is doubtful.
        set_threshold: of the prediction set, see `genrescope.model.prediction_sets`.
        labels: int64 (n,), the true classes.
        held_out: float64 (n, n_classes), probabilities of each track by a head, a temperature and
            a penalty that its artist had no part in but for the penalty's choice.
        sets: bool (n, n_classes), the prediction set of each track, its threshold from others'.
    """

    head: Head
    temperature: float
    uncertain: float
    set_threshold: float
    labels: Ints
    held_out: Floats
    sets: NDArray[np.bool_]


def unit(values: NDArray[np.floating]) -> Floats:
    """Rows (n, d) at length 1; zeros stay."""
    rows = np.asarray(values, np.float64)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def seen(embedding: NDArray[np.floating], probabilities: NDArray[np.floating]) -> Floats:
    """What a head sees of sounds: float64 (n, d + k), both parts at a length of their own.

    Args:
        embedding: (n, d), any length but zero.
        probabilities: (n, k), of the net's own genres.
    """
    return np.hstack([unit(embedding), GENRES_WEIGHT * unit(probabilities)])


def fit(rows: Floats, labels: Ints, artists: Sequence[str], *, seed: int) -> Fit:
    """Fit a head and all that an honest answer needs.

    Args:
        rows: (n, d), of `seen`.
        labels: (n,), 0 to n_classes - 1, each present.
        artists: (n,), kept together on one side of every split.
        seed: of the folds.
    """
    n_classes = int(labels.max()) + 1
    folds = artist_folds(labels, artists, n_folds=N_FOLDS, seed=seed)
    best: tuple[float, float, Floats] | None = None
    for penalty in _PENALTIES:
        logits = np.zeros((len(labels), n_classes))
        for fold in np.unique(folds):
            learned = train(rows[folds != fold], labels[folds != fold], n_classes, penalty)
            logits[folds == fold] = learned.logits(rows[folds == fold])
        loss = log_loss(softmax(logits, fit_temperature(logits, labels)), labels)
        if best is None or loss < best[0]:
            best = (loss, penalty, logits)
    assert best is not None
    _, penalty, logits = best
    temperature = fit_temperature(logits, labels)
    held_out, sets = np.zeros_like(logits), np.zeros(logits.shape, bool)
    for fold in np.unique(folds):
        others, here = folds != fold, folds == fold
        by_others = fit_temperature(logits[others], labels[others])
        held_out[here] = softmax(logits[here], by_others)
        threshold = fit_threshold(labels[others], softmax(logits[others], by_others))
        sets[here] = in_sets(held_out[here], threshold)
    final = softmax(logits, temperature)
    return Fit(
        head=train(rows, labels, n_classes, penalty),
        temperature=temperature,
        uncertain=float(np.quantile(final.max(axis=1), _DOUBTFUL)),
        set_threshold=fit_threshold(labels, final),
        labels=labels,
        held_out=held_out,
        sets=sets,
    )


def train(rows: Floats, labels: Ints, n_classes: int, penalty: float) -> Head:
    """Multinomial logistic regression, every class of the same weight, by L-BFGS.

    Args:
        rows: (n, d), of a length of about 1.
        labels: (n,); a class without a track is given next to no probability.
        penalty: of the squared weights, against the mean loss over ``n`` tracks.
    """
    from scipy.optimize import minimize

    n, d = rows.shape
    counts = np.bincount(labels, minlength=n_classes)
    share = (1.0 / np.maximum(counts, 1))[labels]
    share /= share.sum()
    hot = np.eye(n_classes)[labels]
    strength = penalty / (1_000.0 * n)

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(d + 1, n_classes)
        logits = rows @ weights[:-1] + weights[-1]
        top = logits.max(axis=1, keepdims=True)
        exp = np.exp(logits - top)
        total = exp.sum(axis=1, keepdims=True)
        log_probs = logits - top - np.log(total)
        error = (exp / total - hot) * share[:, None]
        gradient = np.vstack([rows.T @ error + 2 * strength * weights[:-1], error.sum(axis=0)])
        value = -(share * (log_probs * hot).sum(axis=1)).sum()
        return float(value + strength * (weights[:-1] ** 2).sum()), gradient.ravel()

    found = minimize(loss, np.zeros((d + 1) * n_classes), jac=True, method="L-BFGS-B")
    weights = found.x.reshape(d + 1, n_classes)
    return Head(weights[:-1], weights[-1])


def artist_folds(labels: Ints, artists: Sequence[str], *, n_folds: int, seed: int) -> Ints:
    """A fold for each track, int64 (n,): none of an artist's in two, each genre in all it can be.

    Artists with most tracks are placed first, each where its genres are least.
    """
    names, artist = np.unique(np.asarray(artists), return_inverse=True)
    n_classes = int(labels.max()) + 1
    tracks = np.zeros((len(names), n_classes))
    np.add.at(tracks, (artist, labels), 1)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(names))
    order = order[np.argsort(-tracks[order].sum(axis=1), kind="stable")]
    load = np.zeros((n_folds, n_classes))
    fold_of = np.zeros(len(names), np.int64)
    for name in order:
        own = tracks[name] > 0
        cost = load[:, own].sum(axis=1) + 1e-3 * load.sum(axis=1)
        fold_of[name] = int(cost.argmin())
        load[fold_of[name]] += tracks[name]
    return np.asarray(fold_of[artist])


def log_loss(probs: Floats, labels: Ints) -> float:
    """Mean over classes of the mean of -log p: each class counts the same."""
    losses = -np.log(np.maximum(probs[np.arange(len(labels)), labels], 1e-12))
    return float(np.mean([losses[labels == k].mean() for k in np.unique(labels)]))


def fit_temperature(logits: Floats, labels: Ints) -> float:
    """What logits must be divided by for the least loss."""
    losses = [log_loss(softmax(logits, t), labels) for t in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])
