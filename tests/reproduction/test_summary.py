from __future__ import annotations

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrescope.features.spectrogram import standardise
from genrescope.reproduction.summary import (
    AUDIO_SUMMARY,
    LOG_MEL_SUMMARY,
    summarise_audio,
    summarise_bands,
    summarise_log_mel,
)

SR = 22_050


def _audio(samples: np.ndarray) -> dict[str, float]:
    values = summarise_audio(samples.astype(np.float32), SR)
    return dict(zip(AUDIO_SUMMARY, values.tolist(), strict=True))


def _log_mel(log_mel: np.ndarray) -> dict[str, float]:
    values = summarise_log_mel(log_mel.astype(np.float32))
    return dict(zip(LOG_MEL_SUMMARY, values.tolist(), strict=True))


def test_names_are_distinct() -> None:
    assert len(set(AUDIO_SUMMARY)) == len(AUDIO_SUMMARY)
    assert len(set(LOG_MEL_SUMMARY)) == len(LOG_MEL_SUMMARY)


@pytest.mark.slow
def test_a_sine_is_where_it_sounds() -> None:
    t = np.arange(2 * SR) / SR
    values = _audio(0.5 * np.sin(2 * np.pi * 440.0 * t))
    assert values["centroid_mean"] == pytest.approx(440.0, rel=0.05)
    assert values["rolloff_mean"] == pytest.approx(440.0, rel=0.05)
    assert values["zero_crossings_mean"] == pytest.approx(2 * 440.0 / SR, rel=0.05)
    chroma = [values[f"chroma_{i}_mean"] for i in range(12)]
    assert int(np.argmax(chroma)) == 9  # A, counted from C


@pytest.mark.slow
def test_clicks_have_their_tempo() -> None:
    samples = np.zeros(8 * SR)
    samples[:: SR // 2] = 1.0
    assert _audio(samples)["tempo"] == pytest.approx(120.0, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    "samples", [np.zeros(SR), np.ones(1), np.sin(np.arange(700.0))], ids=["silent", "one", "short"]
)
def test_odd_audio_gives_finite_numbers(samples: np.ndarray) -> None:
    assert np.isfinite(list(_audio(samples).values())).all()


@pytest.mark.parametrize(("shape", "sr"), [((0,), SR), ((2, 400), SR), ((SR,), 8_000)])
def test_unusable_audio_is_refused(shape: tuple[int, ...], sr: int) -> None:
    with pytest.raises(ValueError, match="12800 Hz or more"):
        summarise_audio(np.zeros(shape, np.float32), sr)


@pytest.mark.slow
def test_mfcc_are_librosas_on_a_standardised_clip() -> None:
    log_mel = np.random.default_rng(0).normal(-40.0, 12.0, (128, 60))
    expected = librosa.feature.mfcc(S=standardise(log_mel), n_mfcc=21)[1:].mean(axis=1)
    values = _log_mel(log_mel)
    found = [values[f"mfcc_{i}_mean"] for i in range(20)]
    np.testing.assert_allclose(found, expected, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    n_frames=st.integers(2, 60),
    gain=st.floats(0.1, 10.0),
    level=st.floats(-60.0, 60.0),
)
def test_level_and_range_of_a_log_mel_do_not_matter(
    seed: int, n_frames: int, gain: float, level: float
) -> None:
    log_mel = np.random.default_rng(seed).normal(size=(64, n_frames)).astype(np.float32)
    np.testing.assert_allclose(
        summarise_log_mel(log_mel),
        summarise_log_mel((gain * log_mel + level).astype(np.float32)),
        rtol=2e-2,
        atol=2e-3,
    )


def test_onsets_raise_the_flux_and_treble_the_centroid() -> None:
    rng = np.random.default_rng(0)
    steady = rng.normal(0.0, 0.1, (128, 60)) - np.linspace(0.0, 3.0, 128)[:, np.newaxis]
    struck = steady + 3.0 * (np.arange(60) % 6 == 0)
    assert _log_mel(struck)["flux_mean"] > 1.5 * _log_mel(steady)["flux_mean"]
    assert _log_mel(steady[::-1])["centroid_mean"] > _log_mel(steady)["centroid_mean"]


def test_a_constant_log_mel_gives_finite_numbers() -> None:
    assert np.isfinite(list(_log_mel(np.full((128, 10), -80.0)).values())).all()


@pytest.mark.parametrize("shape", [(20, 30), (128, 1), (128,)])
def test_too_small_a_log_mel_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="n_mels > 20"):
        summarise_log_mel(np.zeros(shape, np.float32))


def test_bands_are_their_means_and_deviations() -> None:
    db = np.array([[-10.0, -30.0], [-40.0, -40.0]], np.float32)
    assert summarise_bands(db).tolist() == [-20.0, -40.0, 10.0, 0.0]


@pytest.mark.parametrize("shape", [(4,), (4, 0)])
def test_bands_without_frames_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="n_frames > 0"):
        summarise_bands(np.zeros(shape, np.float32))
