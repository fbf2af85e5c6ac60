"""How much embedding, and how much of the genres' probabilities, songs should be compared by.

Chosen on some bundles' tracks and stated on another's: of all weights whose ten nearest songs by
other artists are of the same genre often enough, the one that leaves the embedding most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from benchmarks.collection_quality import Judged
from benchmarks.collection_scale import Figure
from genrescope.library.learn.head import unit
from genrescope.library.vectors import crowd_of

N_NEAREST = 10
GOAL, MARGIN = 0.60, 0.01
MOST_SKEW = 1.5


@dataclass(frozen=True)
class Weights:
    """What two songs' nearness is made of.

    Attributes:
        embedding: share of the embeddings' cosine; the rest is the probabilities'.
        power: of the probabilities before their cosine is taken.
    """

    embedding: float
    power: float


GRID = [Weights(*values) for values in product((0.3, 0.4, 0.5, 0.6, 0.7, 1.0), (0.5, 1.0))]
SHIPPED = Weights(0.5, 1.0)


def weighted(judged: Judged, weights: Weights) -> NDArray[np.float32]:
    """What tracks are compared by: float32 (n, d + n_classes), of length 1."""
    shares = (weights.embedding, 1 - weights.embedding)
    parts = (unit(judged.embedding), unit(judged.probs.astype(np.float64) ** weights.power))
    both = [np.sqrt(share) * part for share, part in zip(shares, parts, strict=True)]
    return np.hstack(both).astype(np.float32)


def nearest(judged: Judged, weights: Weights, *, across_artists: bool) -> tuple[float, float]:
    """Share of the ten nearest that are of the same genre, and skew of how often one is near.

    The first is asked of songs of whose genre there are ten others to be found.
    """
    vector = weighted(judged, weights)
    score = 2 * vector @ vector.T - crowd_of(vector)[None, :]
    np.fill_diagonal(score, -np.inf)
    if across_artists:
        score[judged.artists[:, None] == judged.artists[None, :]] = -np.inf
    top = np.argsort(-score, axis=1)[:, :N_NEAREST]
    counts = np.bincount(top.ravel(), minlength=len(top))
    alike = judged.labels[:, None] == judged.labels[None, :]
    possible = (alike & np.isfinite(score)).sum(axis=1) >= N_NEAREST
    return (
        float((judged.labels[top] == judged.labels[:, None])[possible].mean()),
        float(((counts - counts.mean()) ** 3).mean() / counts.std() ** 3),
    )


def neighbours(judged: Sequence[Judged]) -> Iterator[Figure]:
    """Whether the ten nearest songs are of the same genre, and whether some are near to all.

    Of several bundles each has a space of its own: the mean over them.
    """
    for name, goal in (("without", False), ("with", True)):
        both = [nearest(part, SHIPPED, across_artists=goal) for part in judged]
        share, skew = (float(mean) for mean in np.mean(both, axis=0))
        bound = (">= .60", share >= GOAL) if goal else ("", None)
        yield Figure(
            f"similar: genre precision at 10, {name} an artist filter", f"{share:.3f}", *bound
        )
        worst = max(skew for _, skew in both)
        yield Figure(
            f"similar: skew of hubness, {name} it",
            f"{skew:.2f}, at most {worst:.2f} in a fold",
            f"<= {MOST_SKEW}",
            worst <= MOST_SKEW,
        )


def weights_by_folds(judged: Sequence[Judged]) -> Iterator[Figure]:
    """Each fold's precision by the weights that the other folds chose; needs several bundles."""
    values = np.array(
        [[nearest(part, weights, across_artists=True) for part in judged] for weights in GRID]
    )
    stated = []
    for i in range(len(judged)):
        others = np.delete(values, i, axis=1)
        stated.append(values[chosen(others), i, 0])
    yield Figure(
        "similar: the same by weights that the other folds chose",
        f"{np.mean(stated):.3f} ({', '.join(f'{share:.2f}' for share in stated)})",
        ">= .60",
        bool(np.mean(stated) >= GOAL),
    )
    every = GRID[chosen(values)]
    yield Figure(
        "similar: weights that all folds choose",
        f"{every.embedding} embedding, probabilities to the power of {every.power}",
    )


def chosen(values: NDArray[np.float64]) -> int:
    """Of `GRID` the weights with most embedding, and then precision, that do.

    Args:
        values: (n_weights, n_folds, 2), see `nearest`.
    """
    share, skew = values[:, :, 0].mean(axis=1), values[:, :, 1].max(axis=1)
    good = [i for i in range(len(GRID)) if share[i] >= GOAL + MARGIN and skew[i] <= MOST_SKEW]
    if not good:
        return int(share.argmax())
    return max(good, key=lambda i: (GRID[i].embedding, share[i]))
