"""Every usual rate leads to the same sound."""

from __future__ import annotations

import numpy as np
import pytest
from audio_makers import chord, recording

from genrescope.audio.decode import decode


@pytest.mark.parametrize("n_channels", [1, 2, 6])
@pytest.mark.parametrize(
    "sr", [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000]
)
def test_rates_depths_and_channels_agree_with_the_22050_hz_mono_original(
    sr: int, n_channels: int
) -> None:
    original = chord(0.4)[:, 0]
    for kind in ("wav8", "wav16", "wav24", "wav-float", "flac24"):
        wave = decode(recording(kind, 0.4, sr, n_channels))
        assert wave.sr == 22_050
        assert len(wave.samples) == pytest.approx(len(original), abs=1)
        error = wave.samples[500:-500] - original[500 : len(wave.samples) - 500]
        assert np.abs(error).max() < (0.02 if kind == "wav8" else 1e-3)
