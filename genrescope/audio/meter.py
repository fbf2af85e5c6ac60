"""How long and how loud a recording is, measured while it passes by, and whether it is silent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from genrescope.audio.waveform import Waveform

SILENCE_PEAK = 1e-4
"""-80 dBFS: below the noise of any room, above dither."""


class Meter:
    """Passes blocks on and keeps their length and their peak.

    Attributes:
        n_samples: how many have passed.
        duration_s: how long they are, s.
    """

    def __init__(self, blocks: Iterable[Waveform]) -> None:
        self._blocks = blocks
        self.n_samples = 0
        self.duration_s = 0.0
        self._low, self._high = np.inf, -np.inf

    @property
    def peak(self) -> float:
        """Largest distance from the middle, which a constant offset does not raise."""
        if self.n_samples == 1:
            return abs(self._low)
        return max(0.0, (self._high - self._low) / 2)

    @property
    def is_silent(self) -> bool:
        """Whether nothing that has passed is above -80 dBFS."""
        return self.peak < SILENCE_PEAK

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        for block in self._blocks:
            samples = block.samples
            if len(samples):
                self.n_samples += len(samples)
                self.duration_s += block.duration
                self._low = min(self._low, float(samples.min()))
                self._high = max(self._high, float(samples.max()))
            yield samples
