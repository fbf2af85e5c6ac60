from __future__ import annotations

import numpy as np
import pytest

from genrescope.features.chroma import BLOCK_FRAMES, N_CHANNELS, N_OCTAVES, PITCH_CLASSES, chroma
from genrescope.features.config import STORE_CONFIG
from genrescope.features.mel import mel_filterbank
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


def test_a_note_is_as_strong_as_its_place_between_the_bands() -> None:
    x = np.random.default_rng(1).normal(size=(128, BLOCK_FRAMES)).astype(np.float32)
    padded = np.pad(x.astype(np.float64), ((5, 5), (0, 0)), mode="edge")
    above = x - np.mean([padded[i : i + 128] for i in range(11)], axis=0)
    bank = mel_filterbank(STORE_CONFIG)
    hz = np.arange(bank.shape[1]) * STORE_CONFIG.sr / STORE_CONFIG.n_fft
    centres = (bank * hz).sum(axis=1) / bank.sum(axis=1)
    told = chroma(x, STORE_CONFIG).reshape(2, 60)
    for note in range(60):
        note_hz = 220 * 2 ** (note / 12)
        for row, bands in zip(told, (np.maximum(above, 0), above), strict=True):
            expected = np.interp(note_hz, centres, bands.mean(axis=1))
            assert row[note] == pytest.approx(expected, abs=1e-5)
