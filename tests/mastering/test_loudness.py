"""Loudness and true peaks by the standard, and a limiter that comes in time."""

from __future__ import annotations

import numpy as np
import pyloudnorm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mastering_makers import SR, melody

from genrescope.mastering.loudness import (
    SILENT_LUFS,
    limit,
    loudness,
    master,
    peak_envelope,
    true_peak_db,
)


@pytest.mark.slow
@pytest.mark.parametrize("gain", [0.1, 1.0])
def test_music_is_brought_to_its_loudness_under_the_limit(gain: float) -> None:
    x = np.stack([melody(6), melody(6, seed=1)]) * np.float32(gain)
    mastered = master(x, SR, lufs=-16.0, peak_db=-1.0)
    assert mastered.lufs == pytest.approx(-16.0, abs=0.3)
    assert mastered.lufs == pytest.approx(loudness(mastered.channels, SR), abs=0.01)
    assert true_peak_db(mastered.channels) <= -0.99


def test_no_more_than_thirty_decibels_are_added_and_silence_gets_none() -> None:
    faint = melody(3)[None] * np.float32(5e-3)
    before = loudness(faint, SR)
    assert before < -16 - 31
    mastered = master(faint, SR, lufs=-16.0, peak_db=-1.0)
    assert mastered.lufs == pytest.approx(before + 30, abs=0.1)
    silence = np.zeros((1, SR), np.float32)
    kept = master(silence, SR, lufs=-16.0, peak_db=-1.0)
    assert kept.lufs == SILENT_LUFS
    assert not kept.channels.any()


def test_true_peak_sees_between_the_samples() -> None:
    # A quarter of the sample rate, sampled where it is never at its peak: 3 dB more between.
    x = np.sin(np.pi / 2 * np.arange(4_000) + np.pi / 4).astype(np.float32)[np.newaxis]
    x *= np.minimum(1, np.arange(4_000)[::-1] / 500) * np.minimum(1, np.arange(4_000) / 500)
    assert 20 * np.log10(np.abs(x).max()) == pytest.approx(-3.01, abs=0.01)
    assert true_peak_db(x) == pytest.approx(0, abs=0.1)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5_000), st.floats(-20, 30), st.integers(0, 99))
def test_the_limiter_needs_no_clipping(n_samples: int, gain_db: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal((2, n_samples)) ** 3 * 0.2).astype(np.float32)
    y = limit(x, peak_envelope(x), SR, gain_db=gain_db, peak_db=-1.0)
    # Strictly below the ceiling: the gain came down in time, the final clip had nothing to do.
    assert np.abs(y).max() < 10 ** (-1.05 / 20)
    ratio = y / np.where(x == 0, 1, x)
    assert ratio.max() <= 10 ** (gain_db / 20) * (1 + 1e-5)


def test_loudness_of_a_known_tone() -> None:
    # A full-scale 997 Hz sine in one channel is -3.01 LUFS (ITU-R BS.1770-4).
    tone = np.sin(2 * np.pi * 997 * np.arange(2 * 48_000) / 48_000).astype(np.float32)[np.newaxis]
    assert loudness(tone, 48_000) == pytest.approx(-3.01, abs=0.05)
    assert loudness(tone[:, :4_800], 48_000) == pytest.approx(-3.01, abs=0.2)


@settings(max_examples=25)
@given(
    st.sampled_from([8_000, 11_025, 22_050, 32_000, 44_100, 48_000]),
    st.integers(1, 2),
    st.integers(4, 90),
    st.integers(0, 99),
)
def test_loudness_is_that_of_pyloudnorm(sr: int, n_channels: int, tenths: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_samples = tenths * sr // 10 + 1  # it takes a last block that is not whole, against BS.1770
    swell = rng.uniform(0, 1, 12) ** 3
    level = np.interp(np.arange(n_samples), np.linspace(0, n_samples, 12), swell)
    x = (0.3 * level * rng.standard_normal((n_channels, n_samples))).astype(np.float32)
    expected = float(pyloudnorm.Meter(sr).integrated_loudness(x.T))
    assert loudness(x, sr) == pytest.approx(max(expected, -70.0), abs=0.03)
