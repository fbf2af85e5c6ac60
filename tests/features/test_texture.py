"""Descriptors of a spectrogram's texture: free of level, and each about what it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from genrescope.features.config import STORE_CONFIG
from genrescope.features.spectrogram import log_mel
from genrescope.features.texture import NAMES, texture

SR = 22_050
T = np.arange(3 * SR) / SR


def described(samples: NDArray[Any]) -> dict[str, float]:
    return dict(zip(NAMES, texture(log_mel(samples, STORE_CONFIG)[None])[0], strict=True))


@settings(max_examples=30)
@given(
    seed=st.integers(0, 99),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 140), st.integers(2, 45)),
    level=st.floats(-200, 200),
)
def test_level_changes_nothing_and_all_is_finite(
    seed: int, shape: tuple[int, int, int], level: float
) -> None:
    x = np.random.default_rng(seed).uniform(-80, 0, shape)
    out = texture(x)
    assert out.shape == (shape[0], len(NAMES))
    assert np.isfinite(out).all()
    np.testing.assert_allclose(texture(x + level), out, atol=0.02)


def test_windows_do_not_touch_each_other() -> None:
    x = np.random.default_rng(0).uniform(-80, 0, (4, 128, 39))
    np.testing.assert_allclose(texture(x)[2:3], texture(x[2:3]), rtol=1e-6)


def test_a_constant_window_is_flat_and_still() -> None:
    out = dict(zip(NAMES, texture(np.full((1, 128, 39), -30.0))[0], strict=True))
    for name in ("level_std", "flatness_mean", "change_mean", "band_std", "peaks_mean", "loud_std"):
        assert out[name] == pytest.approx(0, abs=1e-3)


def test_noise_is_flatter_and_a_tone_more_peaked_and_steadier() -> None:
    rng = np.random.default_rng(0)
    noise = described(rng.standard_normal(3 * SR))
    tone = described(np.sin(2 * np.pi * 440 * T))
    assert noise["flatness_mean"] > tone["flatness_mean"] + 10
    assert noise["active_share"] == 1.0
    assert tone["active_share"] < 0.5
    assert tone["peaks_kept"] > noise["peaks_kept"] + 0.3
    assert tone["change_mean"] < noise["change_mean"]


def test_bursts_are_modulated_at_their_rate_and_leave_pauses() -> None:
    noise = np.random.default_rng(0).standard_normal(3 * SR)
    slow, fast = (described(noise * (np.sin(2 * np.pi * hz * T) > 0)) for hz in (0.7, 4))
    assert slow["slow_modulation"] > slow["fast_modulation"]
    assert fast["fast_modulation"] > fast["slow_modulation"]
    steady = described(noise)
    assert slow["pauses"] > 0.3 > steady["pauses"] == 0
    assert slow["comodulation"] > 0.8 > steady["comodulation"]


@pytest.mark.parametrize(("hz", "part"), [(60, "lowest"), (800, "low"), (9000, "highest")])
def test_power_lies_where_it_sounds(hz: float, part: str) -> None:
    tone = described(np.sin(2 * np.pi * hz * T))
    parts = ("lowest", "low", "middle", "high", "highest")
    assert max(parts, key=tone.__getitem__) == part
    assert tone[part] == pytest.approx(0, abs=0.5)
