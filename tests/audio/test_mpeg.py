"""Frames of MPEG audio whose length no header tells."""

from __future__ import annotations

import numpy as np
import pytest
from audio_makers import aligned, chord, encoded
from odd_makers import free_format

from genrescope.audio.decode import decode


@pytest.mark.parametrize("n_channels", [1, 2])
def test_free_format_mp3(n_channels: int) -> None:
    sound = chord(3.0, 48_000, n_channels=n_channels)
    mp3 = encoded("mp3-bare", sound, 48_000)
    wave = decode(free_format(mp3))
    got, expected = aligned(wave.samples, decode(mp3).samples, 3_000)
    assert np.corrcoef(got, expected)[0, 1] > 0.999
    assert wave.flags == ()
