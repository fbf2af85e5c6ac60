"""Parts of a sound turned down by a mask over its mel spectrogram."""

from __future__ import annotations

import numpy as np
import pytest

from genrescope.features.config import STORE_CONFIG
from genrescope.features.masking import mask_sound
from genrescope.features.mel import mel_edges

SR = STORE_CONFIG.sr
LOW, HIGH = 300.0, 4000.0
TIMES = np.arange(4 * SR) / SR
SOUND = (np.sin(2 * np.pi * LOW * TIMES) + np.sin(2 * np.pi * HIGH * TIMES)).astype(np.float32)
SHAPE = (STORE_CONFIG.n_bins, STORE_CONFIG.frames(len(SOUND)))


def level(samples: np.ndarray, hz: float) -> float:
    """Amplitude of a sine within a sound."""
    times = np.arange(len(samples)) / SR
    return float(2 * np.abs(np.mean(samples * np.exp(-2j * np.pi * hz * times))))


def test_a_mask_of_ones_leaves_the_sound_as_it_is() -> None:
    np.testing.assert_allclose(mask_sound(SOUND, np.ones(SHAPE), STORE_CONFIG), SOUND, atol=1e-4)


@pytest.mark.parametrize("n_samples", [1, 200, 1024])
def test_the_shortest_sounds_can_be_masked_too(n_samples: int) -> None:
    short = SOUND[:n_samples]
    mask = np.ones((STORE_CONFIG.n_bins, STORE_CONFIG.frames(n_samples)))
    masked = mask_sound(short, mask, STORE_CONFIG)
    np.testing.assert_allclose(masked, short, atol=1e-4)


def test_a_mask_of_zeros_leaves_nothing() -> None:
    assert not mask_sound(SOUND, np.zeros(SHAPE), STORE_CONFIG).any()


def test_bands_that_are_masked_are_gone_and_the_others_keep_their_phase() -> None:
    mask = np.zeros(SHAPE)
    mask[mel_edges(STORE_CONFIG)[:-1] > 1500] = 1
    high = mask_sound(SOUND, mask, STORE_CONFIG)
    assert level(high, HIGH) == pytest.approx(1, abs=0.02)
    assert level(high, LOW) < 0.01
    alone = np.sin(2 * np.pi * HIGH * TIMES)
    np.testing.assert_allclose(high[SR:-SR], alone[SR:-SR], atol=0.02)


def test_times_that_are_masked_are_gone() -> None:
    mask = np.ones(SHAPE)
    mask[:, : SHAPE[1] // 2] = 0
    late = mask_sound(SOUND, mask, STORE_CONFIG)
    assert np.abs(late[: SR + SR // 2]).max() < 0.01
    assert level(late[-SR:], LOW) == pytest.approx(1, abs=0.02)


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="the mask must be"):
        mask_sound(SOUND, np.ones((128, 3)), STORE_CONFIG)
