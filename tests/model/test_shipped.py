"""The bundle that ships, on real recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genrescope.audio.decode import decode
from genrescope.audio.waveform import Waveform
from genrescope.data.store import FeatureStore
from genrescope.model.classifier import Classifier
from genrescope.model.clip import Clip


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load()


@pytest.mark.slow
def test_audio_and_stored_columns_lead_to_the_same_genre(
    classifier: Classifier, gtzan_dir: Path
) -> None:
    """The store keeps other columns than hop 1708 gives, half a hop later: it must not matter."""
    store = FeatureStore.load(gtzan_dir / "mel_u8.npz")
    agree, apart = [], []
    for track in store.facts:
        path = gtzan_dir / "audio" / track.genre / f"{track.track_id}.flac"
        if not path.exists() or path.stat().st_size < 300_000:  # excerpts
            continue
        prediction = classifier.classify(path)
        kept = store.get(track.track_id)[
            :, : round(prediction.duration_s * store.config.frame_rate)
        ]
        stored = classifier.classify_features(Clip(kept, prediction.duration_s, ()))
        agree.append(prediction.genre == stored.genre)
        apart.append(np.abs(prediction.clip_probs - stored.clip_probs).max())
    assert len(agree) > 50
    assert np.mean(agree) > 0.9
    assert np.median(apart) < 0.06


@pytest.mark.slow
def test_it_names_a_string_orchestra_and_a_metal_band(
    classifier: Classifier, clips_dir: Path
) -> None:
    assert classifier.classify(clips_dir / "hungarian_dance_5.ogg").genre == "classical"
    assert classifier.classify(clips_dir / "horned_viper.mp3").genre == "metal"


def test_a_change_within_a_window_is_on_the_timeline(
    classifier: Classifier, clips_dir: Path
) -> None:
    strings = decode(clips_dir / "hungarian_dance_5.ogg", start=10, duration=7).samples
    metal = decode(clips_dir / "horned_viper.mp3", start=20, duration=7).samples
    loud = metal / np.abs(metal).max()
    prediction = classifier.classify(Waveform(np.concatenate([strings, loud]), 22_050))
    assert len(prediction.times) == 1
    segments = prediction.timeline()
    assert (segments[0].label, segments[-1].label) == ("classical", "metal")
    assert segments[0].end == pytest.approx(7, abs=3.5)


def test_silence_and_noise_are_no_music(classifier: Classifier) -> None:
    silence = Waveform(np.zeros(220_500, np.float32), 22_050)
    assert classifier.classify(silence).genre is None
    noise = np.random.default_rng(0).normal(0, 0.1, 220_500).astype(np.float32)
    assert "no music" in classifier.classify(Waveform(noise, 22_050)).flags
