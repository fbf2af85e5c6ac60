from __future__ import annotations

import numpy as np
import pytest

from genrescope.features.chroma import BLOCK_FRAMES, N_CHANNELS, N_OCTAVES, PITCH_CLASSES, chroma
from genrescope.features.config import STORE_CONFIG
from genrescope.features.spectrogram import log_mel, standardise


def _tone(hz: float, *, seconds: float = 4.0) -> np.ndarray:
    times = np.arange(round(seconds * STORE_CONFIG.sr)) / STORE_CONFIG.sr
    noise = np.random.default_rng(0).normal(0, 1e-3, len(times))
    return standardise(log_mel(np.sin(2 * np.pi * hz * times) + noise, STORE_CONFIG))


@pytest.mark.parametrize("note", range(12))
def test_a_tone_is_its_pitch_class(note: int) -> None:
    told = chroma(_tone(880 * 2 ** (note / 12)), STORE_CONFIG)
    n_blocks = told.shape[2]
    assert told.shape == (N_CHANNELS, 12, n_blocks)
    strength = told[:N_OCTAVES].mean(axis=2)
    assert strength.max(axis=0).argmax() == note, PITCH_CLASSES[note]
    assert strength.max(axis=1).argmax() == 2  # the third octave begins at 880 Hz


def test_a_block_is_so_many_frames() -> None:
    x = np.random.default_rng(0).normal(size=(128, 10 * BLOCK_FRAMES + 3)).astype(np.float32)
    assert chroma(x, STORE_CONFIG).shape[2] == 10


def test_a_clip_shorter_than_a_block_is_repeated() -> None:
    x = np.random.default_rng(0).normal(size=(128, 2)).astype(np.float32)
    assert np.allclose(chroma(x, STORE_CONFIG), chroma(np.tile(x, 3), STORE_CONFIG), atol=1e-6)
