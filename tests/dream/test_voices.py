"""The sounds of the layers: at their pitch, of their length, without what has no place in them."""

from __future__ import annotations

import numpy as np
import pytest

from genrescope.dream import voices
from genrescope.dream.voices import Tone

SR = 22_050


def _peak_hz(x: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(x * np.hanning(len(x)), 1 << 17))
    return float(np.fft.rfftfreq(1 << 17, 1 / SR)[np.argmax(spectrum)])


@pytest.mark.parametrize("pitch", [33, 57, 69, 81])
def test_a_note_has_its_pitch(pitch: int) -> None:
    note = voices.tone(pitch, 1.0, Tone(0.01, 4.0, tilt=2.0), SR)
    assert _peak_hz(note) == pytest.approx(440 * 2 ** ((pitch - 69) / 12), rel=0.005)
    assert note.dtype == np.float32
    assert 0.3 < np.abs(note).max() <= 1.001


def test_nothing_folds_back_from_above_half_the_rate() -> None:
    note = voices.tone(96, 1.0, Tone(0.01, 4.0, tilt=0.4), SR)
    spectrum = np.abs(np.fft.rfft(note * np.hanning(len(note))))
    hz = np.fft.rfftfreq(len(note), 1 / SR)
    near = np.abs(hz / 2093.0 - np.round(hz / 2093.0)) * 2093.0 < 40
    assert spectrum[~near].max() < 0.02 * spectrum.max()


def test_a_darker_note_has_less_above() -> None:
    def above(cutoff_hz: float) -> float:
        spectrum = np.abs(
            np.fft.rfft(voices.tone(57, 0.5, Tone(0.01, 1.0, cutoff_hz=cutoff_hz), SR))
        )
        return float(spectrum[1500:].sum() / spectrum.sum())

    assert above(500.0) < 0.3 * above(6_000.0)


def test_drums_fall_silent() -> None:
    drums = [
        voices.kick(50.0, 0.2, 0.3, SR),
        voices.snare(200.0, 0.15, 0.8, SR),
        voices.cymbal(6_000.0, 0.05, 4, SR),
        voices.hand_drum(300.0, SR),
    ]
    for drum in drums:
        assert np.isfinite(drum).all()
        assert np.abs(drum[-50:]).max() < 0.03 * np.abs(drum).max()


def test_noise_is_the_same_every_time_and_longer_than_its_store() -> None:
    assert np.array_equal(voices.noise(1000, 3), voices.noise(1000, 3))
    assert not np.array_equal(voices.noise(1000, 3), voices.noise(1000, 4))
    assert len(voices.noise(1_500_000, 3)) == 1_500_000
