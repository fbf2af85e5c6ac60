"""How one recording goes over into the next."""

from __future__ import annotations

import numpy as np
import pytest

from genrescope.mix.analysis import Material
from genrescope.mix.transition import MOST_STRETCH, cross_fade, plan, played

SR = 8_000


def _material(tempo: float, seconds: float = 60.0, loose: float = 0.0) -> Material:
    times = np.arange(0.2, seconds, 60 / tempo)
    times += loose * np.random.default_rng(0).standard_normal(len(times))
    return Material("a.wav", 0.0, seconds, times, tempo, 0, np.zeros(5))


@pytest.mark.parametrize(("before", "after"), [(120, 120), (120, 125), (128, 122), (100, 107)])
def test_near_tempi_glide_within_the_limit(before: float, after: float) -> None:
    transition = plan(_material(before), _material(after))
    assert transition.matched
    assert len(transition.times) == 17
    for places in (transition.before, transition.after):
        speed = np.diff(places) / np.diff(transition.times)
        assert np.abs(speed - 1).max() <= MOST_STRETCH + 0.002
    gaps = np.diff(transition.times)
    assert gaps[0] == pytest.approx(60 / before, rel=0.01)
    assert gaps[-1] == pytest.approx(60 / after, rel=0.01)
    assert "16 beats" in transition.words()


def test_half_the_tempo_shares_every_second_beat() -> None:
    transition = plan(_material(80), _material(161))
    assert transition.matched
    assert np.diff(transition.after).mean() == pytest.approx(120 / 161, rel=0.01)
    assert np.diff(transition.before).mean() == pytest.approx(60 / 80, rel=0.01)


def test_far_tempi_change_within_a_beat_at_their_own_speed() -> None:
    transition = plan(_material(100), _material(130))
    assert not transition.matched
    assert transition.duration == pytest.approx(0.6, abs=0.01)
    assert np.diff(transition.after) == pytest.approx(np.diff(transition.times))
    assert "within a beat" in transition.words()


def test_loose_beats_become_an_even_row() -> None:
    transition = plan(_material(120, loose=0.005), _material(120, loose=0.005))
    assert np.ptp(np.diff(transition.before)) < 1e-9


def test_a_short_recording_gives_a_third_at_most() -> None:
    transition = plan(_material(120, seconds=10), _material(120))
    assert len(transition.times) == 1 + 6


def test_a_place_sounds_at_its_time() -> None:
    x = np.zeros((2, 4 * SR), np.float32)
    x[:, [SR, 2 * SR, 3 * SR]] = 1.0
    out = played(x, SR, np.array([1.0, 2.0, 3.0]) - 0.25, np.array([0.0, 1.1, 2.0]))
    assert out.shape == (2, 2 * SR)
    peaks = np.flatnonzero(out[0] > 0.5) / SR
    assert peaks[0] == pytest.approx(0.275, abs=2 / SR)
    assert peaks[-1] == pytest.approx(1.1 + 0.25 * 0.9, abs=2 / SR)


def test_at_its_own_speed_nothing_changes_and_past_the_end_is_silence() -> None:
    x = np.random.default_rng(0).standard_normal((2, SR)).astype(np.float32)
    out = played(x, SR, np.array([0.5, 1.5]), np.array([0.0, 1.0]))
    assert np.allclose(out[:, : SR // 2 - 2], x[:, SR // 2 : -2], atol=1e-3)
    assert not out[:, SR // 2 + 2 :].any()


def test_a_fade_has_equal_power() -> None:
    ones, zeros = np.ones((2, 100), np.float32), np.zeros((2, 100), np.float32)
    fall, rise = cross_fade(ones, zeros), cross_fade(zeros, ones)
    assert np.allclose(fall**2 + rise**2, 1, atol=1e-5)
    assert fall[0, 0] > 0.99
    assert rise[0, -1] > 0.99
