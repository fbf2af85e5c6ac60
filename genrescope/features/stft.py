"""Spectra of the frames of a clip, in chunks that stay in the processor's cache."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrescope.features.config import FeatureConfig

Float32 = NDArray[np.float32]

FRAMES_AT_ONCE = 64
"""Frames in a chunk: buffers that stay in cache, calls too few to count."""


def as_mono(samples: ArrayLike) -> Float32:
    """Samples as float32 (n_samples,). Raises ValueError for more than one channel."""
    x = np.asarray(samples, dtype=np.float32)
    if x.ndim != 1:
        raise ValueError(f"samples must have one dimension, not shape {x.shape}")
    return x


@lru_cache(maxsize=16)
def _window(n_fft: int) -> Float32:
    """Periodic Hann window (n_fft,)."""
    hann: Float32 = np.hanning(n_fft + 1)[:-1].astype(np.float32)
    return hann


def squared_spectra(blocks: Iterable[ArrayLike], config: FeatureConfig) -> Iterator[Float32]:
    """Squared real and imaginary parts of the frames' spectra, divided by n_fft^2, in chunks.

    Yields:
        float32 (n_frames, 2 * (n_fft // 2 + 1)), real and imaginary interleaved; the array is
        used again for the next chunk.
    """
    window = _window(config.n_fft)
    frames = np.empty((FRAMES_AT_ONCE, config.n_fft), dtype=np.float32)
    spectra = np.empty((FRAMES_AT_ONCE, config.n_fft // 2 + 1), dtype=np.complex64)
    squares = np.empty((FRAMES_AT_ONCE, 2 * (config.n_fft // 2 + 1)), dtype=np.float32)
    for span in _spans(blocks, config):
        view = np.lib.stride_tricks.sliding_window_view(span, config.n_fft)[:: config.hop_length]
        n = len(view)
        np.multiply(view, window, out=frames[:n])
        # With its default norm numpy multiplies by a whole number 1, and so works in float64, at
        # several times the cost; this one divides by n_fft in float32.
        out: Any = spectra[:n]  # numpy's stubs know complex128 alone
        np.fft.rfft(frames[:n], axis=1, norm="forward", out=out)
        np.square(spectra[:n].view(np.float32), out=squares[:n])
        yield squares[:n]


def _spans(blocks: Iterable[ArrayLike], config: FeatureConfig) -> Iterator[Float32]:
    """Cut padded sound into the stretches that hold `FRAMES_AT_ONCE` frames, the last one fewer.

    Stretches lie at the same places however the sound is divided into blocks. They are views of
    the blocks, copied only where they straddle a border.

    Raises:
        ValueError: the blocks hold no sample.
    """
    n_fft, hop_length = config.n_fft, config.hop_length
    need, step = (FRAMES_AT_ONCE - 1) * hop_length + n_fft, FRAMES_AT_ONCE * hop_length
    padding = np.zeros(n_fft // 2, dtype=np.float32)
    rest, skip, n_samples = padding[:0], 0, -2 * len(padding)
    for piece in chain([padding], blocks, [padding]):
        block = as_mono(piece)
        n_samples += len(block)
        at = min(skip, len(block))
        skip -= at
        while len(rest):
            span = np.concatenate([rest, block[at : at + need - len(rest)]])
            if len(span) < need:
                rest, at = span, len(block)
                break
            yield span
            at += max(0, step - len(rest))
            rest = rest[step:]
        while at + need <= len(block):
            yield block[at : at + need]
            at += step
        if at < len(block):
            rest = block[at:].copy()
        else:
            skip += at - len(block)
    if n_samples <= 0:
        raise ValueError("there are no samples to analyse")
    if len(rest) >= n_fft:
        yield rest
