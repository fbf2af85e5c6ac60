"""FFmpeg's frames of any kind, as samples."""

from __future__ import annotations

import numpy as np
import pytest
from audio_makers import chord, encoded

from genrescope.audio.decode import decode, decode_channels


def test_float_files_keep_what_is_beyond_full_scale() -> None:
    loud = 3.5 * chord(0.5)
    for kind in ("wav-float", "wav-double", "aiff-float", "au-float"):
        np.testing.assert_allclose(decode(encoded(kind, loud, 22_050)).samples, loud[:, 0])


@pytest.mark.parametrize("kind", ["mp3", "aac", "mp2"])
def test_rate_and_channels_may_change_midway(kind: str) -> None:
    first = encoded(kind, chord(1.0, 22_050), 22_050)
    second = encoded(kind, chord(1.0, 44_100, n_channels=2), 44_100)
    for data in (first + second, second + first):
        assert decode(data).duration == pytest.approx(2.0, abs=0.2)
        channels, sr = decode_channels(data)
        assert len(channels) / sr == pytest.approx(2.0, abs=0.2)
