"""What a model hears: waveform, STFT or log-mel, all as (n_bins, n_frames), and its windows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from genrescope.signal.feature_config import FeatureConfig
from genrescope.signal.features import log_mel, standardise, stft_db

Float32 = NDArray[np.float32]


def raw(samples: Float32, config: FeatureConfig) -> Float32:
    """The waveform as one bin with a frame for each sample: (1, n_samples)."""
    return np.asarray(samples, dtype=np.float32)[np.newaxis]


INPUTS: dict[str, Callable[[Float32, FeatureConfig], Float32]] = {
    "raw": raw,
    "stft": stft_db,
    "mel": log_mel,
}
"""By name: from samples (n_samples,) at ``config.sr`` to float32 (n_bins, n_frames)."""


def prepare(samples: Float32, config: FeatureConfig, *, kind: str) -> Float32:
    """A clip as a model takes it, standardised: mean 0, standard deviation 1 over the clip.

    Args:
        samples: (n_samples,) at ``config.sr``.
        config: the front end; "raw" uses nothing of it.
        kind: a name of `INPUTS`.

    Returns:
        (n_bins, n_frames).

    Raises:
        ValueError: no samples.
    """
    return standardise(INPUTS[kind](samples, config))


def frame_rate(config: FeatureConfig, *, kind: str) -> float:
    """Frames per second of an input, Hz: for "raw" the sample rate."""
    return float(config.sr) if kind == "raw" else config.frame_rate


def flatten(windows: Float32) -> Float32:
    """Windows (n, ..., window_length) as rows (n, d), as the talk fed its classical models."""
    rows: Float32 = np.ascontiguousarray(windows, dtype=np.float32).reshape(len(windows), -1)
    return rows
