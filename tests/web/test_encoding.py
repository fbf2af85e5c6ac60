"""What is encoded is what was given, at any rate that polishing gives."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile as sf
from web.serving import music, wav

from genrescope.web.encoding import FORMS
from genrescope.web.engine import Engine
from genrescope.web.uploads import Upload


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("sr", [8_000, 22_050, 44_100, 48_000])
def test_a_tone_stays_the_same_tone(form: str, sr: int) -> None:
    t = np.arange(2 * sr) / sr
    left = 0.5 * np.sin(2 * np.pi * 440 * t)
    tones = np.stack([left, 0.5 * left], axis=1).astype(np.float32)
    _, encode = FORMS[form]
    samples, rate = sf.read(io.BytesIO(encode(tones, sr)))
    assert len(samples) / rate == pytest.approx(2, abs=0.02)
    steady = samples[rate // 2 : rate]
    peaks = np.abs(np.fft.rfft(steady, axis=0)).argmax(axis=0) * rate / len(steady)
    assert peaks == pytest.approx([440, 440], abs=3)
    assert np.abs(steady).max(axis=0) == pytest.approx([0.5, 0.25], abs=0.03)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_too_loud_is_clipped_and_does_not_wrap(form: str) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(24_000) / 48_000)
    loud = np.stack([3 * tone, 3 * tone], axis=1).astype(np.float32)
    samples, _ = sf.read(io.BytesIO(FORMS[form][1](loud, 48_000)))
    n = min(len(samples), len(tone))
    likeness = np.corrcoef(samples[:n, 0], tone[:n])[0, 1]
    assert likeness > 0.85  # a tone that wraps around is nothing like it
    assert np.abs(samples).max() < 1.2


@pytest.mark.parametrize("form", FORMS)
def test_the_shortest_sound_can_be_encoded(form: str) -> None:
    samples, _ = sf.read(io.BytesIO(FORMS[form][1](np.zeros((1, 2), np.float32), 8_000)))
    assert np.abs(samples).max(initial=0) < 1e-3


@pytest.mark.slow
def test_polishing_takes_each_form(engine: Engine) -> None:
    beginnings = {"wav": b"RIFF", "flac": b"fLaC", "opus": b"OggS"}
    for form, beginning in beginnings.items():
        polished = engine.polish(Upload("song", wav(music(2))), form)
        assert polished.data.startswith(beginning)
        assert polished.lufs_after == pytest.approx(-14, abs=1)
