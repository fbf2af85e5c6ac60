from __future__ import annotations

import numpy as np
import pytest

from genrescope.features import rhythm
from genrescope.features.config import STORE_CONFIG
from genrescope.features.rhythm import MARGIN, N_CHANNELS, N_TEMPI, N_TIMBRE, tempi, tempogram

RATE = STORE_CONFIG.frame_rate


def _beats(bpm: float, *, seconds: float = 30.0) -> np.ndarray:
    """A log-mel in which something begins at every beat, and dies away."""
    times = np.arange(round(seconds * RATE)) / RATE
    since = np.mod(times, 60 / bpm)
    return np.tile(np.exp(-since / 0.1), (128, 1)).astype(np.float32)


def test_tempi_are_logarithmic_from_30_to_286() -> None:
    bpm = tempi()
    assert len(bpm) == N_TEMPI
    assert bpm[[0, -1]] == pytest.approx([30, 286])
    assert np.allclose(bpm[1:] / bpm[:-1], bpm[1] / bpm[0])


@pytest.mark.parametrize("bpm", [45.0, 70.0, 97.3, 128.0, 180.0])
def test_the_tempo_and_what_it_is_a_part_of_stand_out(bpm: float) -> None:
    picture = tempogram(_beats(bpm), frame_rate=RATE)
    assert picture.shape == (N_CHANNELS, N_TEMPI + 2 * MARGIN)
    assert np.isfinite(picture).all()
    bins = tempi()
    near = np.abs(bins / bpm - 1) < 0.02
    between = np.abs(bins / (bpm * 2**0.5) - 1) < 0.02
    for row in picture[[N_CHANNELS // 2 - 1, -1], MARGIN:-MARGIN]:
        assert row[near].max() > 2 * max(row[between].max(), 0.05)


def test_a_faster_rhythm_is_the_same_picture_further_on() -> None:
    slow, fast = (
        tempogram(_beats(bpm), frame_rate=RATE)[-1]
        for bpm in (60.0, 60 * 2 ** (30 / rhythm.BINS_PER_OCTAVE))
    )
    inner = slice(MARGIN, MARGIN + 150)
    moved = slice(MARGIN + 30, MARGIN + 180)
    assert np.corrcoef(slow[inner], fast[moved])[0, 1] > 0.8
    assert np.corrcoef(slow[inner], fast[inner])[0, 1] < 0.5


@pytest.mark.parametrize("n_frames", [1, 2, 5, 39, 1000])
def test_any_length_gives_numbers(n_frames: int) -> None:
    x = np.random.default_rng(0).normal(size=(128, n_frames)).astype(np.float32)
    assert np.isfinite(tempogram(x, frame_rate=RATE)).all()
    assert np.isfinite(rhythm.timbre(x)).all()
    assert rhythm.timbre(x).shape == (N_TIMBRE,)


def test_what_does_not_change_has_no_rhythm() -> None:
    still = np.ones((128, 387), np.float32)
    assert np.abs(tempogram(still, frame_rate=RATE)).max() < 1e-3
