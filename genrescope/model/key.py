"""The key of a recording, read from the probabilities of 24 keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrescope.features.chroma import PITCH_CLASSES

N_KEYS = 24
KEYS = tuple(f"{tonic} {mode}" for mode in ("major", "minor") for tonic in PITCH_CLASSES)
"""Names of the keys: majors from A upwards, then minors."""


def camelot(key: int) -> str:
    """The place of a key on the wheel by which DJs mix, such as 8A for A minor.

    Args:
        key: place in `KEYS`.
    """
    return f"{hour(key)}{'A' if key >= 12 else 'B'}"


def hour(key: int) -> int:
    """The hour of a key on that wheel, 1 to 12, which it shares with its relative key."""
    minor, tonic = divmod(key, 12)
    # A fifth up is the next hour; C major and A minor share the eighth.
    fifths = 7 * (tonic - (0 if minor else 3)) % 12
    return (7 + fifths) % 12 + 1


@dataclass(frozen=True)
class Key:
    """The key of a recording.

    Attributes:
        name: of `KEYS`, such as ``A minor``.
        camelot: its place on the Camelot wheel, such as ``8A``.
        confidence: probability of it.
    """

    name: str
    camelot: str
    confidence: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, the probability to 1e-6."""
        return {
            "name": self.name,
            "camelot": self.camelot,
            "confidence": round(self.confidence, 6),
        }


def read_key(probs: NDArray[np.floating[Any]]) -> Key:
    """The key that the probabilities speak for.

    Args:
        probs: of `KEYS`, (24,), summing to 1.
    """
    best = int(probs.argmax())
    return Key(KEYS[best], camelot(best), float(probs[best]))
