"""Embeddings in a byte a number, as a collection's catalogue and a fleet's parts keep them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def quantised(embedding: NDArray[np.floating[Any]]) -> tuple[NDArray[np.int8], float]:
    """A vector (d,) as int8 and what to multiply them by; the largest becomes 127 or -127."""
    largest = float(np.abs(embedding).max(initial=0.0))
    if largest == 0:
        return np.zeros(len(embedding), np.int8), 0.0
    # In float64: the reciprocal of the smallest float32 is beyond the largest.
    values = np.rint(embedding.astype(np.float64) * (127 / largest))
    return values.astype(np.int8), largest / 127
