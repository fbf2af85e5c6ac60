"""Beats where clicks are, whatever the tempo and the rate."""

from __future__ import annotations

import numpy as np
import pytest
from click_makers import beat_times, clicks

from genrescope.features.beats import beats

SR = 22_050


@pytest.mark.parametrize("bpm", [72.0, 96.5, 110.0, 128.0, 150.0])
def test_beats_are_where_the_clicks_are(bpm: float) -> None:
    found = beats(clicks(15, bpm, sr=SR), SR)
    assert found.tempo == pytest.approx(bpm, rel=0.01)
    true = beat_times(15, bpm)
    nearest = np.abs(found.times[:, None] - true).min(axis=1)
    assert nearest.max() < 0.02
    assert len(found.times) >= 0.9 * len(true)
    assert (np.diff(found.times) > 0).all()


def test_the_beats_do_not_depend_on_the_rate() -> None:
    low, high = (beats(clicks(10, 120, sr=sr), sr).times for sr in (22_050, 44_100))
    assert len(low) == len(high)
    assert np.abs(low - high).max() < 0.01


@pytest.mark.parametrize("known", [80.0, 160.0])
def test_a_tempo_that_is_known_decides_between_double_and_half(known: float) -> None:
    x = clicks(15, 160, sr=SR) + 0.8 * clicks(15, 80, sr=SR)
    assert beats(x, SR, near_bpm=known).tempo == pytest.approx(known, rel=0.02)


def test_silence_and_a_moment_have_no_beats() -> None:
    for x in (np.zeros(10 * SR, np.float32), np.zeros(1, np.float32), clicks(0.2, 120, sr=SR)):
        assert len(beats(x, SR).times) < 2


def test_noise_is_no_trouble() -> None:
    x = np.random.default_rng(0).standard_normal(5 * SR).astype(np.float32)
    assert np.isfinite(beats(x, SR).times).all()
