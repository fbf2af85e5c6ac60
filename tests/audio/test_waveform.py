"""The decoded sound."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from genrescope.audio.waveform import Waveform


def test_its_length_is_told_in_seconds() -> None:
    assert Waveform(np.zeros(11_025, np.float32), 22_050).duration == 0.5
    assert Waveform(np.zeros(0, np.float32), 8_000).duration == 0


def test_sounds_are_told_apart_by_what_they_are_and_not_by_their_samples() -> None:
    """Comparing the arrays would raise, and hashing them is impossible."""
    samples = np.zeros(100, np.float32)
    first, second = Waveform(samples, 8_000), Waveform(samples, 8_000)
    assert first != second
    assert {first, second, first} == {first, second}


def test_a_waveform_stays_what_it_was_decoded_as() -> None:
    waveform = Waveform(np.zeros(100, np.float32), 8_000)
    assert waveform.flags == ()
    with pytest.raises(FrozenInstanceError):
        waveform.sr = 44_100  # type: ignore[misc]
