"""Whole numbers that nobody scaled are named, and what is quiet stays quiet."""

from __future__ import annotations

import numpy as np
import pytest
from audio_makers import chord, encoded
from odd_makers import integer_wav

from genrescope.audio.decode import decode, stream
from genrescope.errors import AudioError


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_numbers_of_16_bits_in_wider_ones(dtype: type[np.signedinteger]) -> None:
    sound = (chord(1.0, 8_000)[:, 0] * 2**15).astype(dtype)
    data = integer_wav(sound, 8_000)
    with pytest.raises(AudioError, match=r"its scale looks wrong: .* Multiply them"):
        decode(data)
    with pytest.raises(AudioError, match="its scale looks wrong"):
        list(stream(data))


def test_a_part_of_it_says_nothing() -> None:
    sound = np.concatenate([np.arange(100), np.full(8_000, 2**28)]).astype(np.int32)
    assert decode(integer_wav(sound, 8_000), sr=None, duration=0.01).samples.max() < 1e-7
    assert decode(integer_wav(sound, 8_000)).flags == ()


def test_silence_and_the_noise_of_a_converter_are_no_mistake() -> None:
    rng = np.random.default_rng(0)
    noise = (rng.integers(-4, 5, 8_000) * 256).astype(np.int32)  # 24 bits, the rest empty
    for quiet in (noise, np.zeros(8_000, np.int32), np.zeros(8_000, np.int64)):
        assert np.abs(decode(integer_wav(quiet, 8_000)).samples).max() < 1e-5
    assert decode(encoded("wav24", chord(0.5) * 1e-6, 22_050)).flags == ()
