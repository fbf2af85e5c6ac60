"""Made-up sounds: speech, rooms, noise."""

from __future__ import annotations

import numpy as np
import pytest

from genrescope.features.config import STORE_CONFIG
from genrescope.lab import sounds

SR = STORE_CONFIG.sr


@pytest.mark.slow
def test_speech_has_syllables_pitch_and_pauses() -> None:
    for seed in range(3):
        x = sounds.speech(8 * SR, SR, rng=np.random.default_rng(seed))
        loud = np.sqrt(np.mean(x[: len(x) // 220 * 220].reshape(-1, 220) ** 2, axis=1))
        assert (loud < 0.1 * loud.max()).mean() > 0.1
        spectrum = np.abs(np.fft.rfft(loud - loud.mean())) ** 2
        hz = np.fft.rfftfreq(len(loud), 220 / SR)
        assert spectrum[(hz > 1) & (hz < 8)].sum() > 0.5 * spectrum[hz < 50].sum()
        power = np.abs(np.fft.rfft(x)) ** 2
        pitch = np.fft.rfftfreq(len(x), 1 / SR)
        assert power[(pitch > 80) & (pitch < 4000)].sum() > 0.8 * power.sum()


@pytest.mark.parametrize("rt60_s", [0.4, 1.8])
def test_a_room_fades_in_its_time(rt60_s: float) -> None:
    response = sounds.room_response(SR, rt60_s=rt60_s, direct_db=0, rng=np.random.default_rng(1))
    # Schroeder 1965: the energy still to come; from -5 to -25 dB takes a third of the time.
    left = np.cumsum(response[::-1] ** 2)[::-1]
    left = 10 * np.log10(left[1:] / left[1])
    span = np.argmax(left < -25) - np.argmax(left < -5)
    assert 3 * span / SR == pytest.approx(rt60_s, rel=0.25)
    assert response[0] ** 2 == pytest.approx(np.sum(response[1:] ** 2), rel=0.01)
