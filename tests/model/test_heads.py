from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from bundle_maker import make_bundle
from heads_maker import key_onnx, tempo_onnx, tiny_heads, whole_key_onnx

from genrescope.audio.waveform import Waveform
from genrescope.errors import BundleError
from genrescope.features.config import FeatureConfig
from genrescope.model.bundle import Bundle
from genrescope.model.classifier import Classifier
from genrescope.model.clip import Clip
from genrescope.model.tempo import FACTORS, TOLERANCE
from genrescope.model.writing import Head, with_heads

SR = 22_050


def _music(bpm: float, hz: float, *, seconds: float = 20.0) -> Waveform:
    """Plucked notes of one pitch, one a beat."""
    times = np.arange(round(seconds * SR)) / SR
    since = np.mod(times, 60 / bpm)
    return Waveform((0.5 * np.sin(2 * np.pi * hz * times) * np.exp(-since / 0.08)).astype("f4"), SR)


def _is_one_pulse(bpm: float, true: float) -> bool:
    return min(abs(bpm / (true * k) - 1) for k in FACTORS) < TOLERANCE


@pytest.fixture(scope="module")
def with_both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("heads") / "b", heads=tiny_heads()).path


@pytest.mark.parametrize("bpm", [72.0, 90.0, 120.0])
def test_tempo_and_key_are_heard(with_both: Path, bpm: float) -> None:
    prediction = Classifier.load(with_both).classify(_music(bpm, 880.0))
    assert prediction.tempo is not None
    assert prediction.key is not None
    assert _is_one_pulse(prediction.tempo.bpm, bpm)
    assert prediction.key.name == "A major"
    told = json.loads(json.dumps(prediction.to_dict()))
    assert told["tempo"] == prediction.tempo.to_dict()
    assert told["key"] == prediction.key.to_dict()


def test_a_key_is_heard_from_the_whole_log_mel(tmp_path: Path) -> None:
    heads = {"key": Head(whole_key_onnx(), {}, {}, {})}
    classifier = Classifier(make_bundle(tmp_path / "b", heads=heads))
    for n_frames in (1, 40, 800):
        clip = np.full((128, n_frames), -60.0, np.float32)
        clip[0] = 0.0
        prediction = classifier.classify_features(Clip(clip, 3.0, ()))
        assert prediction.key is not None
        assert prediction.key.name == "A major"
        assert prediction.key.confidence > 0.99


def test_who_asks_for_the_genre_alone_gets_the_same_genre(with_both: Path) -> None:
    classifier = Classifier.load(with_both)
    clip = classifier.features(_music(90.0, 880.0))
    whole, alone = (classifier.classify_features(clip, with_heads=h) for h in (True, False))
    assert whole.tempo is not None
    assert (alone.tempo, alone.key) == (None, None)
    assert np.array_equal(alone.clip_probs, whole.clip_probs)


def test_a_bundle_without_heads_tells_neither(tiny_bundle: Path) -> None:
    prediction = Classifier.load(tiny_bundle).classify(_music(90.0, 880.0))
    assert prediction.tempo is None
    assert prediction.key is None
    assert "no beat" not in prediction.flags


def test_silence_has_neither(with_both: Path) -> None:
    prediction = Classifier.load(with_both).classify(Waveform(np.zeros(3 * SR, "f4"), SR))
    assert prediction.flags == ("silent",)
    assert prediction.tempo is None
    assert prediction.key is None


def test_a_long_recording_is_heard_in_sections(with_both: Path) -> None:
    classifier = Classifier.load(with_both)
    prediction = classifier.classify(_music(90.0, 880.0, seconds=95))
    assert prediction.tempo is not None
    assert _is_one_pulse(prediction.tempo.bpm, 90)


def test_too_weak_a_pulse_is_no_beat(tmp_path: Path) -> None:
    noise = Waveform(np.random.default_rng(0).normal(0, 0.1, 10 * SR).astype("f4"), SR)
    for beat, flagged in ((0.0, False), (1.0, True)):
        bundle = make_bundle(tmp_path / str(beat), heads=tiny_heads(beat=beat))
        assert ("no beat" in Classifier(bundle).classify(noise).flags) == flagged


def test_either_may_be_alone(tmp_path: Path) -> None:
    key = {"key": tiny_heads()["key"]}
    bundle = make_bundle(tmp_path / "b", heads=key)
    assert bundle.files.keys() == {"model.onnx", "MODEL_CARD.md", "catalogue.npz", "key.onnx"}
    prediction = Classifier(bundle).classify(_music(90.0, 880.0))
    assert prediction.tempo is None
    assert prediction.key is not None


def test_heads_are_put_beside_the_net_of_a_bundle(tiny_bundle: Path, tmp_path: Path) -> None:
    before = Bundle.load(tiny_bundle)
    after = with_heads(before, tmp_path / "b", tiny_heads(beat=0.25))
    assert after.read("model.onnx") == before.read("model.onnx")
    assert after.read("catalogue.npz") == before.read("catalogue.npz")
    assert after.read("tempo.onnx") == tempo_onnx()
    assert after.thresholds == {**before.thresholds, "beat": 0.25}
    assert after.metrics == before.metrics
    assert after.heads.keys() == {"tempo", "key"}
    again = with_heads(after, tmp_path / "b", {"key": tiny_heads()["key"]})
    assert again == after


def test_what_is_no_head_is_refused(tmp_path: Path) -> None:
    spoilt = {
        "swapped": {"tempo": Head(key_onnx(), {}, {}, {})},
        "short": {"tempo": Head(tempo_onnx(n_tempi=100), {}, {}, {})},
        "broken": {"key": Head(b"no net", {}, {}, {})},
        "other bands": {"key": Head(whole_key_onnx(n_mels=64), {}, {}, {})},
    }
    for name, heads in spoilt.items():
        bundle = make_bundle(tmp_path / name, heads=heads)
        with pytest.raises(BundleError, match="onnx"):
            Classifier(bundle)


def test_a_head_needs_a_mel_front_end(tmp_path: Path) -> None:
    from bundle_maker import tiny_onnx

    config = FeatureConfig(n_mels=40)
    bundle = make_bundle(
        tmp_path / "b", features=config, onnx_bytes=tiny_onnx(n_bins=40), heads=tiny_heads()
    )
    with pytest.raises(BundleError, match="multiple of 16"):
        Classifier(bundle)


@pytest.mark.parametrize("name", ["tempo.onnx", "key.onnx"])
def test_a_changed_head_is_refused(with_both: Path, tmp_path: Path, name: str) -> None:
    import shutil

    folder = Path(shutil.copytree(with_both, tmp_path / "copy"))
    (folder / name).write_bytes(b"another")
    with pytest.raises(BundleError, match=name):
        Bundle.load(folder)


def test_a_head_without_its_file_is_refused(with_both: Path, tmp_path: Path) -> None:
    import shutil

    folder = Path(shutil.copytree(with_both, tmp_path / "copy"))
    payload = json.loads((folder / "bundle.json").read_text())
    del payload["files"]["tempo.onnx"]
    (folder / "bundle.json").write_text(json.dumps(payload))
    with pytest.raises(BundleError, match="do not stand together"):
        Bundle.load(folder)


@pytest.mark.parametrize(
    "heads",
    [
        [],
        {"swing": {"training": {}, "figures": {}}},
        {"tempo": {"training": {}}},
        {"tempo": {"training": {}, "figures": {"accuracy1": {"n": 3, "value": 2.0}}}},
    ],
)
def test_what_is_no_account_of_heads_is_refused(
    with_both: Path, tmp_path: Path, heads: object
) -> None:
    import shutil

    folder = Path(shutil.copytree(with_both, tmp_path / "copy"))
    payload = json.loads((folder / "bundle.json").read_text())
    payload["heads"] = heads
    (folder / "bundle.json").write_text(json.dumps(payload))
    with pytest.raises(BundleError, match="heads"):
        Bundle.load(folder)
