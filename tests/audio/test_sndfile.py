"""PCM and FLAC by libsndfile: the numbers it gives, however they are read."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genrescope.audio.decode import decode


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT"])
@pytest.mark.parametrize("container", ["WAV", "WAVEX", "AIFF", "AU", "CAF", "W64", "RF64", "FLAC"])
@pytest.mark.parametrize("n_channels", [1, 2, 3])
def test_numbers_are_libsndfiles_to_the_last_bit(
    container: str, subtype: str, n_channels: int
) -> None:
    if not soundfile.check_format(container, subtype):
        pytest.skip(f"there is no {container} of {subtype}")
    noise = np.random.default_rng(0).uniform(-1, 1, (100_000, n_channels))
    noise[:2] = [[1] * n_channels, [-1] * n_channels]  # the largest numbers
    file = io.BytesIO()
    soundfile.write(file, noise, 44_100, format=container, subtype=subtype)
    file.seek(0)
    channels, _ = soundfile.read(file, dtype="float32", always_2d=True)
    mean = channels[:, 0].copy()
    for channel in range(1, n_channels):
        mean += channels[:, channel]
    mean *= np.float32(1 / n_channels)
    np.testing.assert_array_equal(decode(file, sr=None).samples, mean)


def test_a_part_of_16_bits_is_that_of_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "noise.wav"
    noise = np.random.default_rng(1).integers(-(2**15), 2**15, 150_000).astype(np.int16)
    soundfile.write(path, noise, 8_000)
    part = decode(path, sr=None, start=9.0, duration=2.0).samples
    np.testing.assert_array_equal(part, noise[72_000:88_000] / np.float32(2**15))
