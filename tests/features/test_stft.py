"""Frames and their spectra: those of numpy in double precision, however a clip is divided."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrescope.features.config import FeatureConfig
from genrescope.features.stft import as_mono, squared_spectra

CONFIGS = (FeatureConfig(), FeatureConfig(n_fft=256, hop_length=300, n_mels=20))


def spectra(blocks: list[np.ndarray], config: FeatureConfig) -> np.ndarray:
    """All chunks, (n_frames, 2 * n_bins)."""
    return np.concatenate([chunk.copy() for chunk in squared_spectra(blocks, config)])


@pytest.mark.parametrize("config", CONFIGS)
def test_spectra_are_those_of_centred_windowed_frames(config: FeatureConfig) -> None:
    x = np.random.default_rng(0).standard_normal(70_000)
    padded = np.pad(x, config.n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, config.n_fft)[:: config.hop_length]
    expected = np.fft.rfft(frames * np.hanning(config.n_fft + 1)[:-1], axis=1) / config.n_fft
    got = spectra([x], config)
    assert len(got) == len(expected) == config.frames(len(x))
    np.testing.assert_allclose(got[:, ::2], expected.real**2, atol=1e-8)
    np.testing.assert_allclose(got[:, 1::2], expected.imag**2, atol=1e-8)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 150_000), max_size=8), st.sampled_from(CONFIGS))
def test_blocks_of_any_lengths_give_the_same(cuts: list[int], config: FeatureConfig) -> None:
    x = np.random.default_rng(1).standard_normal(150_000).astype(np.float32)
    np.testing.assert_array_equal(spectra(np.split(x, sorted(cuts)), config), spectra([x], config))


def test_what_is_no_clip_of_one_channel_is_refused() -> None:
    assert as_mono([1, 2]).dtype == np.float32
    with pytest.raises(ValueError, match="one dimension"):
        as_mono(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="no samples"):
        list(squared_spectra([np.zeros(0)], FeatureConfig()))
