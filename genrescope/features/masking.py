"""Sound with parts of its mel spectrogram turned down, in its own phase."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genrescope.features.config import FeatureConfig
from genrescope.features.mel import mel_filterbank

HOP_SHARE = 4
"""Frames of the transform overlap by three quarters, whatever hop the features have."""


def mask_sound(
    samples: NDArray[np.float32], mask: NDArray[np.floating], config: FeatureConfig
) -> NDArray[np.float32]:
    """Turn parts of a sound down, as a mask over its mel spectrogram says.

    Each Fourier bin takes the mean of the mask over the mel bands that hold it, weighted by their
    filters; the sound keeps its own phase, so that nothing is synthesised.

    Args:
        samples: float32 (n_samples,) at ``config.sr``.
        mask: (n_mels, n_frames), 0 to 1, of the features of these samples.
        config: the front end with mel bands that the mask is of.

    Returns:
        float32 (n_samples,).

    Raises:
        ValueError: the mask is of another shape than the features would be.
    """
    from scipy.signal import ShortTimeFFT  # a fifth of a second, for who masks alone

    expected = (config.n_bins, config.frames(len(samples)))
    if mask.shape != expected:
        raise ValueError(f"the mask must be {expected}, not {mask.shape}")
    hop = config.n_fft // HOP_SHARE
    window = np.hanning(config.n_fft + 1)[:-1]
    transform = ShortTimeFFT(window, hop, config.sr)
    # The transform takes no less than half a window.
    missing = max(0, config.n_fft // 2 - len(samples))
    padded = np.pad(np.asarray(samples, np.float64), (0, missing))
    spectrum = transform.stft(padded)
    frames = np.arange(transform.p_min, transform.p_max(len(padded))) * hop / config.hop_length
    gains = _over_frames(_over_bins(mask, config), frames)
    sound = transform.istft(spectrum * gains, k1=len(padded))[: len(samples)]
    return np.asarray(sound, np.float32)


def _over_bins(mask: NDArray[np.floating], config: FeatureConfig) -> NDArray[np.float64]:
    """The mask of each Fourier bin, (n_fft // 2 + 1, n_frames), by the filterbank's transpose."""
    weights = mel_filterbank(config).T.astype(np.float64)  # (n_bins, n_mels)
    total = weights.sum(axis=1, keepdims=True)
    shares = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    covered = np.flatnonzero(total[:, 0] > 0)
    # Bins that no filter holds, such as 0 Hz, go with the nearest that one does.
    bins = np.arange(len(shares))
    nearest = covered[np.abs(bins[:, None] - covered).argmin(axis=1)]
    gains: NDArray[np.float64] = shares[nearest] @ mask
    return gains


def _over_frames(gains: NDArray[np.float64], frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gains (n_bins, n_frames) between frames and beyond the last, by linear interpolation."""
    last = gains.shape[1] - 1
    at = np.clip(frames, 0, last)
    before = np.floor(at).astype(np.int64)
    after = np.minimum(before + 1, last)
    share = at - before
    between: NDArray[np.float64] = gains[:, before] * (1 - share) + gains[:, after] * share
    return between
