"""The tempo of a recording, read from the probabilities of 256 tempi."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrescope.features.rhythm import tempi

TOLERANCE = 0.04
"""How far a tempo may be off and still be the same, as a share of it (Gouyon et al. 2006)."""

FACTORS = (1.0, 2.0, 3.0, 1 / 2, 1 / 3)
"""Between tempi that one pulse can be counted at."""

AROUND = 3
"""Bins on each side of the best one that its place is the mean of."""


@dataclass(frozen=True)
class Tempo:
    """How fast a recording is.

    Attributes:
        bpm: beats per minute.
        confidence: probability that people tap this tempo, within 4 %.
        other: bpm of the next candidate, mostly twice or half as fast; None where there is none.
        pulse: probability that this, or a double, triple, half or third of it, is right.
    """

    bpm: float
    confidence: float
    other: float | None
    pulse: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: bpm to 0.1, probabilities to 1e-6."""
        return {
            "bpm": round(self.bpm, 1),
            "confidence": round(self.confidence, 6),
            "other": None if self.other is None else round(self.other, 1),
        }


def read_tempo(probs: NDArray[np.floating[Any]]) -> Tempo:
    """The tempo that the probabilities speak for.

    Args:
        probs: of `genrescope.features.rhythm.tempi`, (N_TEMPI,), summing to 1.
    """
    bpm = _peak(probs)
    bins = tempi()
    rest = np.where(_same(bins, bpm), 0, probs)
    return Tempo(
        bpm=bpm,
        confidence=float(probs[_same(bins, bpm)].sum()),
        other=_peak(rest) if rest.sum() > 1e-6 else None,
        pulse=float(probs[np.any([_same(bins, bpm * k) for k in FACTORS], axis=0)].sum()),
    )


def _same(bins: NDArray[np.float64], bpm: float) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = np.abs(bins / bpm - 1) <= TOLERANCE
    return same


def _peak(probs: NDArray[np.floating[Any]]) -> float:
    """The most probable tempo, between the bins, bpm."""
    best = int(probs.argmax())
    near = slice(max(best - AROUND, 0), best + AROUND + 1)
    weights = np.asarray(probs[near], np.float64)
    return float(np.exp((weights * np.log(tempi()[near])).sum() / weights.sum()))
