"""The decoded sound every other room works on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Waveform:
    """Mono sound.

    Attributes:
        samples: float32 (n_samples,), nominally in [-1, 1].
        sr: sample rate in Hz.
        flags: what decoding noticed, e.g. ``truncated``.
    """

    samples: NDArray[np.float32]
    sr: int
    flags: tuple[str, ...] = ()

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sr
