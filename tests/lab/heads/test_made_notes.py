"""Made notes: they lie where the front end hears such tones, and are told as they are played."""

from __future__ import annotations

import numpy as np
import pytest

from genrescope.features.config import STORE_CONFIG
from genrescope.features.spectrogram import log_mel
from genrescope.lab.heads.made_notes import (
    _CENTS,
    _LOWEST_HZ,
    N_CLASSES,
    N_FRAMES,
    _response,
    made_clip,
)


@pytest.mark.parametrize("hz", [110.0, 440.0, 997.0, 5000.0])
def test_a_tone_is_as_strong_in_each_band_as_the_front_end_hears_it(hz: float) -> None:
    times = np.arange(2 * STORE_CONFIG.sr) / STORE_CONFIG.sr
    heard = log_mel(np.sin(2 * np.pi * hz * times).astype(np.float32), STORE_CONFIG)
    heard = heard[:, heard.shape[1] // 2]
    place = round(1200 / _CENTS * np.log2(hz / _LOWEST_HZ))
    made = 10 * np.log10(np.maximum(_response(STORE_CONFIG)[place], 1e-12))
    loud = heard > heard.max() - 20
    assert loud.sum() >= 1
    np.testing.assert_allclose((made - made.max())[loud], (heard - heard.max())[loud], atol=2.5)


def test_a_seed_makes_one_clip() -> None:
    first, notes = made_clip(STORE_CONFIG, np.random.default_rng(3))
    again, _ = made_clip(STORE_CONFIG, np.random.default_rng(3))
    other, _ = made_clip(STORE_CONFIG, np.random.default_rng(4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.shape == (STORE_CONFIG.n_bins, N_FRAMES)
    assert notes.shape == (N_CLASSES, N_FRAMES)
    assert abs(float(first.mean())) < 1e-3
    assert float(first.std()) == pytest.approx(1, abs=1e-3)


def test_notes_are_told_and_those_of_the_bass_among_them() -> None:
    rng = np.random.default_rng(0)
    clips = [made_clip(STORE_CONFIG, rng)[1] for _ in range(20)]
    notes = np.stack(clips)
    assert set(np.unique(notes)) == {0.0, 1.0}
    everyone, bass = notes[:, :12], notes[:, 12:]
    assert (bass <= everyone).all()
    assert 0 < bass.mean() < everyone.mean() < 0.7
