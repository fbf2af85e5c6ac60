from __future__ import annotations

import io
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from audio_makers import encoded
from bundle_maker import LABELS, make_bundle, tiny_onnx
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from soak.agreement import same

from genrescope.audio.waveform import Waveform
from genrescope.features.config import FeatureConfig
from genrescope.features.spectrogram import log_mel
from genrescope.model import Classifier, Clip, inference
from genrescope.model.bundle import DEFAULT_BUNDLE

SR = 22_050
TONES_HZ = {"blues": 100, "jazz": 2200, "rock": 9500}  # inside that genre's tenth of the bands


def tone(genre: str, *, seconds: float = 7.3, sr: int = SR) -> Waveform:
    t = np.arange(round(seconds * sr)) / sr
    samples = 0.5 * np.sin(2 * np.pi * TONES_HZ[genre] * t)
    return Waveform(samples.astype(np.float32), sr)


def noise(n_samples: int, *, seed: int = 0, peak: float = 0.5) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(-peak, peak, n_samples).astype(np.float32)


def wav(waveform: Waveform) -> bytes:
    return encoded("wav-float", waveform.samples[:, None], waveform.sr)


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Classifier:
    return Classifier.load(tiny_bundle)


@pytest.mark.parametrize("genre", TONES_HZ)
def test_each_tone_is_the_genre_of_its_band(tiny: Classifier, genre: str) -> None:
    prediction = tiny.classify(tone(genre))
    assert prediction.genre == genre
    assert prediction.labels == LABELS
    assert prediction.bundle == "tiny"
    assert prediction.duration_s == pytest.approx(7.3, abs=1e-4)
    (segment,) = prediction.timeline()
    assert segment.label == genre


def test_a_change_of_tone_is_on_the_timeline(tiny: Classifier) -> None:
    samples = np.concatenate([tone(g, seconds=12).samples for g in ("rock", "blues")])
    segments = tiny.classify(Waveform(samples, SR)).timeline()
    assert [s.label for s in segments if s.end - s.start > 5] == ["rock", "blues"]
    assert segments[0].end == pytest.approx(12, abs=1.5)


@pytest.fixture(scope="module")
def in_steps(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    """Windows of 9 s, told in three steps."""
    folder = tmp_path_factory.mktemp("steps") / "bundle"
    make_bundle(folder, onnx_bytes=tiny_onnx(n_steps=3), window_s=9.0, hop_s=9.0)
    return Classifier.load(folder)


def test_steps_tell_the_parts_of_a_window(in_steps: Classifier) -> None:
    samples = np.concatenate([tone(g, seconds=3).samples for g in ("rock", "blues", "jazz")])
    prediction = in_steps.classify(Waveform(samples, SR))
    assert len(prediction.times) == 1
    assert prediction.step_times == pytest.approx(
        np.array([[0, 3], [3, 6], [6, 9]]), abs=1 / prediction.duration_s
    )
    segments = prediction.timeline()
    assert [s.label for s in segments] == ["rock", "blues", "jazz"]
    assert [s.end for s in segments] == pytest.approx([3, 6, 9], abs=0.1)


def test_steps_leave_the_answer_as_it_is(in_steps: Classifier, tmp_path: Path) -> None:
    make_bundle(tmp_path / "b", onnx_bytes=tiny_onnx(), window_s=9.0, hop_s=9.0)
    waveform = Waveform(noise(40 * SR), SR)
    told, plain = (c.classify(waveform) for c in (in_steps, Classifier.load(tmp_path / "b")))
    np.testing.assert_array_equal(told.probs, plain.probs)
    np.testing.assert_array_equal(told.clip_probs, plain.clip_probs)
    assert len(told.step_times) == 3 * len(told.times) == 3 * len(plain.step_times)
    np.testing.assert_array_equal(plain.step_probs, plain.probs)
    np.testing.assert_array_equal(plain.step_times, plain.times)


@pytest.mark.parametrize(("seconds", "n_steps"), [(0.8, 1), (3.5, 1), (8.9, 3)])
def test_no_step_lies_past_the_end_or_is_too_short_to_tell_of(
    in_steps: Classifier, seconds: float, n_steps: int
) -> None:
    prediction = in_steps.classify(tone("jazz", seconds=seconds))
    assert len(prediction.step_times) == len(prediction.step_probs) == n_steps
    assert prediction.step_times.max() == prediction.duration_s
    assert (np.diff(prediction.step_times) > 0).all()


def test_steps_of_overlapping_windows_are_in_order_of_time(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b", onnx_bytes=tiny_onnx(n_steps=3), window_s=9.0, hop_s=4.0)
    prediction = Classifier.load(tmp_path / "b").classify(Waveform(noise(40 * SR), SR))
    assert (np.diff(prediction.step_times.mean(axis=1)) >= 0).all()
    assert prediction.timeline()[-1].end == prediction.duration_s


def silence(seconds: float) -> NDArray[np.float32]:
    return np.zeros(round(seconds * SR), np.float32)


HOP_S = 1708 / SR  # so that frames fall on the music as they do on the music alone


@pytest.mark.parametrize(("before", "after"), [(80, 0), (0, 120), (260, 260)])
def test_silence_around_the_music_changes_nothing(
    in_steps: Classifier, before: float, after: float
) -> None:
    before, after, music = before * HOP_S, after * HOP_S, noise(11 * SR)
    alone = in_steps.classify(Waveform(music, SR))
    around = np.concatenate([silence(before), music, silence(after)])
    prediction = in_steps.classify(Waveform(around, SR))
    np.testing.assert_allclose(prediction.clip_probs, alone.clip_probs, atol=0.01)
    assert prediction.flags == alone.flags
    assert prediction.duration_s == pytest.approx(before + 11 + after)
    for times in (prediction.times, prediction.step_times):
        assert times[0, 0] == pytest.approx(before, abs=0.2)
        assert times[-1, 1] == pytest.approx(before + 11, abs=0.2)


def test_a_gap_is_no_music_and_has_no_time_of_its_own(tiny: Classifier) -> None:
    parts = [tone("rock", seconds=12).samples, silence(30), tone("blues", seconds=12).samples]
    prediction = tiny.classify(Waveform(np.concatenate(parts), SR))
    assert [segment.label for segment in prediction.timeline()] == ["rock", "blues"]
    within = (prediction.times < 12.2) | (prediction.times > 41.8)
    assert within.all()
    without = tiny.classify(Waveform(np.concatenate([parts[0], parts[2]]), SR))
    np.testing.assert_allclose(prediction.clip_probs, without.clip_probs, atol=0.03)


def test_a_little_music_in_much_silence_is_short(tiny: Classifier) -> None:
    music = tone("jazz", seconds=1).samples
    prediction = tiny.classify(Waveform(np.concatenate([silence(5), music, silence(5)]), SR))
    assert prediction.genre == "jazz"
    assert "short" in prediction.flags
    assert (prediction.step_times[0, 0], prediction.step_times[-1, 1]) == pytest.approx(
        (5, 6), abs=0.2
    )
    beep = np.concatenate([silence(5), music[: SR // 5], silence(5)])
    assert "uncertain" in tiny.classify(Waveform(beep, SR)).flags


def test_path_bytes_file_object_and_samples_agree(tiny: Classifier, tmp_path: Path) -> None:
    waveform = tone("jazz")
    path = tmp_path / "tone.wav"
    path.write_bytes(wav(waveform))
    expected = tiny.classify(waveform)
    for source in (path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes())):
        assert same(tiny.classify(source), expected)


@pytest.mark.parametrize("sr", [8_000, 44_100, 96_000])
def test_other_rates_are_resampled(tiny: Classifier, sr: int) -> None:
    prediction = tiny.classify(tone("jazz", sr=sr))
    assert prediction.genre == "jazz"
    assert prediction.duration_s == pytest.approx(7.3, abs=1e-3)


def test_clip_probabilities_are_the_mean_over_windows(tiny: Classifier) -> None:
    prediction = tiny.classify(Waveform(noise(9 * SR), SR))
    assert prediction.probs.shape == (len(prediction.times), 10)
    assert prediction.clip_probs == pytest.approx(prediction.probs.mean(axis=0), abs=1e-6)
    assert prediction.probs.std(axis=0).max() > 0
    assert np.linalg.norm(prediction.embedding) == pytest.approx(1, abs=1e-6)


@settings(max_examples=20)
@given(n_samples=st.integers(1, 8 * SR), seed=st.integers(0, 99))
def test_any_length_gives_probabilities_within_the_clip(
    tiny: Classifier, n_samples: int, seed: int
) -> None:
    prediction = tiny.classify(Waveform(noise(n_samples, seed=seed), SR))
    assert prediction.probs.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert prediction.times.min() == 0
    assert prediction.times.max() == pytest.approx(n_samples / SR)
    assert prediction.timeline()[-1].end == n_samples / SR
    assert ("short" in prediction.flags) == (n_samples / SR < 3)


def test_batches_do_not_change_the_answer(
    tiny: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    waveform = Waveform(noise(40 * SR), SR)
    expected = tiny.classify(waveform)
    monkeypatch.setattr(inference, "BATCH_FRAMES", 5)
    again = tiny.classify(waveform)
    np.testing.assert_allclose(again.probs, expected.probs, atol=1e-6)
    np.testing.assert_allclose(again.embedding, expected.embedding, atol=1e-6)


def test_a_short_clip_is_repeated_and_flagged(tiny: Classifier) -> None:
    prediction = tiny.classify(tone("rock", seconds=0.8))
    assert prediction.flags == ("short",)
    assert prediction.genre == "rock"
    assert prediction.times.tolist() == [[0, prediction.duration_s]]


def test_less_than_half_a_second_is_never_told_for_certain(tiny: Classifier) -> None:
    assert "uncertain" in tiny.classify(tone("rock", seconds=0.4)).flags
    assert "uncertain" not in tiny.classify(tone("rock", seconds=0.6)).flags


@pytest.mark.parametrize("peak", [0.0, 5e-5])
def test_a_silent_clip_has_no_label(tiny: Classifier, peak: float) -> None:
    prediction = tiny.classify(Waveform(noise(5 * SR, peak=peak), SR))
    assert prediction.flags == ("silent",)
    assert prediction.genre is None
    assert (prediction.probs == np.float32(0.1)).all()
    assert not prediction.embedding.any()


def test_a_quiet_clip_is_not_silent(tiny: Classifier) -> None:
    quiet = tone("jazz").samples * np.float32(1e-3)
    prediction = tiny.classify(Waveform(quiet, SR))
    assert prediction.flags == ()
    assert prediction.genre == "jazz"


def test_an_unsure_answer_is_flagged(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "b", thresholds={"uncertain": 0.5})
    sure, unsure = tone("jazz"), Waveform(noise(4 * SR), SR)
    unit = Classifier.load(bundle)
    assert unit.classify(sure).flags == ()
    assert unit.classify(unsure).confidence < 0.5
    assert unit.classify(unsure).flags == ("uncertain",)


def test_a_higher_temperature_is_less_sure(tmp_path: Path) -> None:
    cold, hot = (
        Classifier.load(make_bundle(tmp_path / str(t), temperature=t)).classify(tone("jazz"))
        for t in (0.5, 5.0)
    )
    assert cold.genre == hot.genre == "jazz"
    assert cold.confidence > hot.confidence


def test_a_cut_file_is_used_as_far_as_it_goes(tiny: Classifier) -> None:
    whole = wav(tone("jazz"))
    prediction = tiny.classify(whole[: len(whole) * 2 // 3], name="cut.wav")
    assert prediction.flags == ("truncated",)
    assert prediction.genre == "jazz"
    assert prediction.duration_s == pytest.approx(7.3 * 2 / 3, abs=0.1)


def test_a_classifier_can_be_sent_to_another_process(tiny: Classifier) -> None:
    waveform = tone("jazz")
    again = pickle.loads(pickle.dumps(tiny)).classify(waveform)
    assert again.clip_probs.tolist() == tiny.classify(waveform).clip_probs.tolist()


@pytest.mark.parametrize("threads", [0, -3])
def test_a_classifier_has_a_thread(tiny_bundle: Path, threads: int) -> None:
    with pytest.raises(ValueError, match="threads must be at least 1"):
        Classifier.load(tiny_bundle, threads=threads)


def test_features_are_those_of_the_front_end(tiny: Classifier) -> None:
    waveform = tone("jazz")
    clip = tiny.features(waveform)
    assert np.array_equal(clip.log_mel, log_mel(waveform.samples, tiny.bundle.features))
    assert same(tiny.classify_features(clip), tiny.classify(waveform))


def test_features_of_another_front_end_are_refused(tiny: Classifier) -> None:
    clip = Clip(np.zeros((64, 100), np.float32), 7.0, ())
    with pytest.raises(ValueError, match="128"):
        tiny.classify_features(clip)


def test_a_linear_spectrogram_serves_as_well(tmp_path: Path) -> None:
    features = FeatureConfig(n_fft=512, hop_length=512, n_mels=None, kind="stft")
    bundle = make_bundle(tmp_path / "b", features=features, onnx_bytes=tiny_onnx(n_bins=257))
    prediction = Classifier.load(bundle).classify(tone("rock"))
    assert prediction.genre == LABELS[int(9500 / (SR / 2) * 10)]


def test_one_classifier_in_many_threads_answers_as_in_one(tiny_bundle: Path) -> None:
    clips = [Waveform(noise((2 + i) * SR, seed=i), SR) for i in range(6)]
    alone = Classifier.load(tiny_bundle)
    expected = [alone.classify(clip) for clip in clips]
    shared = Classifier.load(tiny_bundle, threads=2)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            answers = list(pool.map(shared.classify, clips))
            assert all(same(a, b) for a, b in zip(answers, expected, strict=True))


def test_the_shipped_model_hears_music(clips_dir: Path) -> None:
    if not (DEFAULT_BUNDLE / "bundle.json").exists():
        pytest.skip("no bundle ships with this copy")
    prediction = Classifier.load().classify(clips_dir / "hungarian_dance_5.ogg")
    assert prediction.genre == "classical"
    assert prediction.duration_s == pytest.approx(46, abs=1)
