"""The mel scale, and the filterbank that gathers Fourier bins into its bands."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from genrescope.features.config import FeatureConfig

_AT_ONCE = 16  # filters: arrays of all of them would be new pages of memory, dear in a cold start


def _mel_to_hz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's scale: linear to 1 kHz (15 mel), then 27 mel to each factor of 6.4."""
    linear = mels * (200.0 / 3.0)
    return np.where(mels < 15.0, linear, 1000.0 * 6.4 ** ((mels - 15.0) / 27.0))


def _hz_to_mel(hz: float) -> float:
    return (
        hz * 3.0 / 200.0 if hz < 1000.0 else 15.0 + 27.0 * float(np.log(hz / 1000.0) / np.log(6.4))
    )


@lru_cache(maxsize=16)
def mel_filterbank(config: FeatureConfig) -> NDArray[np.float32]:
    """Triangular mel filters, each of equal area (Slaney, Auditory Toolbox, 1998).

    Returns:
        float32 (n_mels, n_fft // 2 + 1), read-only; power spectrum in, mel power out.

    Raises:
        ValueError: the configuration has no mel bands.
    """
    corners = _corners(config)[:, np.newaxis]
    hz = np.fft.rfftfreq(config.n_fft, 1.0 / config.sr)
    bank = np.empty((len(corners) - 2, len(hz)), np.float32)
    for first in range(0, len(bank), _AT_ONCE):
        edges = corners[first : first + _AT_ONCE + 2]
        rising = (hz - edges[:-2]) / (edges[1:-1] - edges[:-2])
        falling = (edges[2:] - hz) / (edges[2:] - edges[1:-1])
        weights = np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))
        bank[first : first + _AT_ONCE] = weights
    bank.setflags(write=False)
    return bank


def mel_edges(config: FeatureConfig) -> NDArray[np.float64]:
    """Where each mel band ends and the next begins, half way between their centres.

    Returns:
        float64 (n_mels + 1,), rising, Hz; the first and last are those of the whole spectrum.

    Raises:
        ValueError: the configuration has no mel bands.
    """
    centres = _corners(config)[1:-1]
    between = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[config.fmin], between, [config.top_hz]])


def _corners(config: FeatureConfig) -> NDArray[np.float64]:
    """Lower edge of the first filter, centres of all, upper edge of the last, (n_mels + 2,), Hz."""
    if config.n_mels is None:
        raise ValueError(f"kind {config.kind} has no mel bands (n_mels is None)")
    mels = np.linspace(_hz_to_mel(config.fmin), _hz_to_mel(config.top_hz), config.n_mels + 2)
    return _mel_to_hz(mels)
