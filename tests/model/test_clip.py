from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from audio_makers import encoded
from numpy.typing import NDArray

from genrescope.audio.waveform import Waveform
from genrescope.errors import AudioError, AudioTooLongError
from genrescope.features.spectrogram import log_mel
from genrescope.model import Bundle
from genrescope.model.clip import extract_features

SR = 22_050


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return Bundle.load(tiny_bundle)


def tone(*, seconds: float = 7.3, peak: float = 0.5) -> Waveform:
    t = np.arange(round(seconds * SR)) / SR
    return Waveform((peak * np.sin(2 * np.pi * 440 * t)).astype(np.float32), SR)


def wav(waveform: Waveform) -> bytes:
    return encoded("wav-float", waveform.samples[:, None], waveform.sr)


@pytest.mark.parametrize("as_bytes", [True, False])
def test_a_clip_is_what_the_front_end_makes_of_the_samples(bundle: Bundle, as_bytes: bool) -> None:
    sound = tone()
    clip = extract_features(bundle, wav(sound) if as_bytes else sound)
    assert np.array_equal(clip.log_mel, log_mel(sound.samples, bundle.features))
    assert clip.duration_s == pytest.approx(7.3, abs=1e-4)
    assert clip.flags == ()


@pytest.mark.parametrize(
    ("sound", "flags"),
    [
        (tone(seconds=2), ("short",)),
        (tone(peak=5e-5), ("silent",)),
        (tone(seconds=2, peak=0.0), ("short", "silent")),
    ],
)
def test_a_short_or_silent_recording_is_flagged(
    bundle: Bundle, sound: Waveform, flags: tuple[str, ...]
) -> None:
    assert extract_features(bundle, sound).flags == flags


def test_a_cut_file_is_flagged_as_well(bundle: Bundle) -> None:
    whole = wav(tone(seconds=3))
    assert extract_features(bundle, whole[: len(whole) // 2]).flags == ("truncated", "short")


@pytest.mark.parametrize("as_bytes", [True, False])
def test_a_recording_over_the_limit_is_refused(bundle: Bundle, as_bytes: bool) -> None:
    source = wav(tone()) if as_bytes else tone()
    with pytest.raises(AudioTooLongError, match="long recording"):
        extract_features(bundle, source, name="long recording", max_duration_s=7)
    assert extract_features(bundle, source, max_duration_s=8).flags == ()


@pytest.mark.parametrize(
    "samples",
    [
        *(np.zeros(0), np.array([0.1, np.nan]), np.array([0.1, -np.inf]), np.zeros((100, 2))),
        np.array([0.1, 1e25]),
    ],
    ids=["none", "nan", "infinite", "stereo", "absurd"],
)
def test_samples_that_are_no_sound_are_refused(
    bundle: Bundle, samples: NDArray[np.float64]
) -> None:
    with pytest.raises(AudioError, match="my recording"):
        extract_features(bundle, Waveform(samples.astype(np.float32), SR), name="my recording")


def test_a_waveform_of_whole_numbers_or_without_a_rate_is_refused(bundle: Bundle) -> None:
    with pytest.raises(AudioError, match="whole numbers"):
        extract_features(bundle, Waveform(np.full(SR, 1000, np.int16), SR))  # type: ignore[arg-type]
    with pytest.raises(AudioError, match="sample rate is 0 Hz"):
        extract_features(bundle, Waveform(np.full(SR, 0.1, np.float32), 0))


@pytest.mark.parametrize("sr", [np.nan, np.inf, -np.inf, 1e-3, -22_050, 1e9])
def test_a_rate_that_no_sound_has_is_refused(bundle: Bundle, sr: float) -> None:
    with pytest.raises(AudioError, match="sample rate is"):
        extract_features(bundle, Waveform(np.full(SR, 0.1, np.float32), sr))  # type: ignore[arg-type]


def test_a_constant_is_silent_and_music_on_it_is_not(bundle: Bundle) -> None:
    tone = 0.01 * np.sin(np.arange(3 * SR))
    assert "silent" in extract_features(bundle, Waveform(np.full(SR, 0.5, np.float32), SR)).flags
    sound = Waveform((0.5 + tone).astype(np.float32), SR)
    assert "silent" not in extract_features(bundle, sound).flags


def test_less_than_a_sample_is_refused(bundle: Bundle) -> None:
    with pytest.raises(AudioError, match="shorter than one sample"):
        extract_features(bundle, Waveform(np.full(1, 0.1, np.float32), 96_000))


def test_a_missing_file_is_named(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"absent\.mp3"):
        extract_features(bundle, tmp_path / "absent.mp3")
