"""What tells the key of a clip: how strong each pitch class is, in five octaves, over time."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrescope.features.config import FeatureConfig
from genrescope.features.mel import mel_filterbank

Float32 = NDArray[np.float32]

PITCH_CLASSES = ("A", "B♭", "B", "C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭")
"""In the order of the rows."""

LOWEST_A_HZ = 220.0
N_OCTAVES = 5
N_CHANNELS = 2 * N_OCTAVES
BLOCK_FRAMES = 6
"""Frames that are taken together: half a second at the usual front end, a chord or a few notes."""

AROUND = 5
"""Bands on each side, whose mean is what all instruments and noises share."""


def chroma(x: ArrayLike, config: FeatureConfig) -> Float32:
    """Strength of the pitch classes of a clip, in octaves, over time.

    A band that stands out of its neighbours counts for the notes near its centre. Below 500 Hz a
    mel band holds several notes; what those play is told by their overtones.

    Args:
        x: a standardised log-mel, (n_mels, n_frames).
        config: the front end that made it, of kind ``mel``.

    Returns:
        float32 (N_CHANNELS, 12, n_blocks): how far the bands of each octave stand out, then by how
        much they differ from their neighbours either way.
    """
    above = _standing_out(np.asarray(x, np.float32))
    n_frames = max(1, above.shape[1] // BLOCK_FRAMES) * BLOCK_FRAMES
    above = above[:, np.arange(n_frames) % above.shape[1]]
    both = np.stack([np.maximum(above, 0), above])
    blocks = both.reshape(2, len(above), -1, BLOCK_FRAMES).mean(axis=3)
    below, share = _places(config)
    notes = blocks[:, below] * (1 - share) + blocks[:, below + 1] * share
    return np.asarray(notes.reshape(N_CHANNELS, 12, -1), np.float32)


def _standing_out(x: Float32) -> Float32:
    """A log-mel less the mean of the bands around each."""
    width = 2 * AROUND + 1
    padded = np.pad(x, ((AROUND + 1, AROUND), (0, 0)), mode="edge").cumsum(axis=0, dtype="f8")
    return np.asarray(x - (padded[width:] - padded[:-width]) / width, np.float32)


@lru_cache(maxsize=8)
def _places(config: FeatureConfig) -> tuple[NDArray[np.int64], Float32]:
    """Between which mel bands the notes lie, from low to high.

    Returns:
        the band below each, int64 (N_OCTAVES x 12,), and how near the next one is, 0 to 1, float32
        (N_OCTAVES x 12, 1). So few numbers need no product of matrices, which OpenBLAS would hand
        to several threads.
    """
    bank = mel_filterbank(config)
    hz = np.arange(bank.shape[1]) * config.sr / config.n_fft
    centres = (bank @ hz) / np.maximum(bank.sum(axis=1), 1e-9)
    notes = LOWEST_A_HZ * 2 ** (np.arange(N_OCTAVES * 12) / 12)
    places = np.interp(notes, centres, np.arange(len(centres)))
    below = np.minimum(places.astype(np.int64), len(centres) - 2)
    return below, np.asarray((places - below)[:, None], np.float32)
