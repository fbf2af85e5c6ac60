"""What the browser computes by itself, held against Python: the same numbers from the same sound.

The page's modules run under Node. What they are held against is computed by Python at that moment,
so that nothing has to be made anew for another bundle.
"""

from __future__ import annotations

import base64
import io
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from bundle_maker import make_bundle
from heads_maker import tiny_heads, whole_key_onnx
from node_driver import Node, Sound, array, find_node
from numpy.typing import NDArray
from web.serving import music

from genrescope.audio.decode import decode
from genrescope.audio.mixing import to_mono
from genrescope.audio.waveform import Waveform
from genrescope.features.chroma import chroma
from genrescope.features.masking import mask_sound
from genrescope.features.rhythm import N_TEMPI, tempogram, timbre
from genrescope.features.spectrogram import log_mel, standardise
from genrescope.mastering.loudness import loudness, master
from genrescope.model.bundle import DEFAULT_BUNDLE, Bundle
from genrescope.model.classifier import Classifier
from genrescope.model.clip import extract_features
from genrescope.model.explain import AGAINST, DECIDED, INDIFFERENT
from genrescope.model.inference import prepare
from genrescope.model.similar import Catalogue
from genrescope.model.tempo import read_tempo
from genrescope.model.writing import Head
from genrescope.web.halved import halve, whole
from genrescope.web.local import settings

RATES = (8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000)
SAMPLES = DEFAULT_BUNDLE.parents[1] / "samples"
CONFIG = Bundle.load().features

Samples = NDArray[np.float32]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    return find_node(tmp_path_factory.mktemp("node"))


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(threads=1)


def sweep(sr: int, seconds: float, *, low_hz: float = 30, high_hz: float | None = None) -> Samples:
    """A tone that rises evenly to ``high_hz``; to half the rate if None."""
    t = np.arange(round(sr * seconds)) / sr
    top = sr / 2 if high_hz is None else high_hz
    phase = 2 * np.pi * (low_hz * t + (top - low_hz) * t**2 / (2 * seconds))
    return (0.5 * np.sin(phase)).astype(np.float32)


def noise(n_samples: int, *, gain: float = 0.1, seed: int = 0) -> Samples:
    return (gain * np.random.default_rng(seed).standard_normal(n_samples)).astype(np.float32)


def song(sr: int, seconds: float, *, seed: int) -> Samples:
    """Made-up music: plucked chords over bass, drum and hiss; (2, n_samples)."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(sr * seconds)) / sr
    beat = 60 / rng.uniform(70, 170)
    root_hz = rng.uniform(80, 260) * 2 ** (rng.integers(-5, 6, 64)[(t / beat / 4).astype(int)] / 12)
    struck = np.exp(-rng.uniform(2, 8) * (t % beat))
    phase = 2 * np.pi * np.cumsum(root_hz) / sr
    chord = [np.sin(k * phase) + 0.3 * np.sin(2 * k * phase) for k in (0.5, 1, 1.26, 1.5)]
    drum = np.exp(-rng.uniform(10, 60) * (t % (2 * beat))) * noise(len(t), gain=1, seed=seed)
    gains = rng.uniform(0, 0.2, (2, 4)) @ (struck * chord) + rng.uniform(0, 0.4) * drum
    hiss = noise(2 * len(t), gain=10 ** rng.uniform(-4, -2), seed=seed + 1).reshape(2, -1)
    return (gains + hiss).astype(np.float32)


def features_of(node: Node, sound: Sound) -> Samples:
    (found,) = node.run("features", [sound], bundle=DEFAULT_BUNDLE)
    return array(found["data"]).reshape(-1, found["n_frames"])


def as_waveform(sound: Sound) -> Waveform:
    return Waveform(to_mono(np.ascontiguousarray(np.atleast_2d(sound.samples).T)), sound.sr)


def test_settings_are_json() -> None:
    assert json.loads(json.dumps(settings(), allow_nan=False))["silent_db"] > 0


@pytest.mark.slow
def test_other_rates_are_made_as_soxr_makes_them(node: Node) -> None:
    sounds = [Sound(sweep(sr, 3.01), sr) for sr in (*RATES, 44_099)]
    found = node.run("resample", sounds, bundle=DEFAULT_BUNDLE)
    for sound, answer in zip(sounds, found, strict=True):
        expected = soxr.resample(np.asarray(sound.samples), sound.sr, CONFIG.sr)
        ours = array(answer["samples"])
        assert ours.shape == expected.shape
        difference = np.abs(ours - expected)
        assert difference.max() < 2e-3, sound.sr  # 0.03 dB, and only where the filters fall


def test_nothing_comes_back_as_another_tone(node: Node) -> None:
    above = sweep(48_000, 2, low_hz=11_100)  # all of it more than 22,050 Hz can hold
    (found,) = node.run("resample", [Sound(above, 48_000)], bundle=DEFAULT_BUNDLE)
    inside = array(found["samples"])[500:-500]  # a tone that begins at once is no tone
    assert np.abs(inside).max() < 1e-5


def test_channels_are_mixed_as_python_mixes_them(node: Node) -> None:
    left, right = noise(5000, seed=1), noise(5000, seed=2)
    cases = [
        np.stack([left, right]),
        np.stack([left, -left * 0.9]),  # miswired: the louder one
        np.stack([0.9 * left, -left]),
        np.stack([left, right, left]),
        left[None],
    ]
    found = node.run("mono", [Sound(x, CONFIG.sr) for x in cases], bundle=DEFAULT_BUNDLE)
    for x, answer in zip(cases, found, strict=True):
        expected = to_mono(np.ascontiguousarray(x.T))
        np.testing.assert_allclose(array(answer["samples"]), expected, atol=1e-7)


def _with_a_pop() -> Samples:
    x = noise(20 * CONFIG.sr, gain=0.005)
    x[10 * CONFIG.sr] = 0.9
    return x


def _with_rumble() -> Samples:
    t = np.arange(6 * CONFIG.sr) / CONFIG.sr
    rumble = 0.8 * np.sin(2 * np.pi * 7 * t) + 0.3
    return noise(len(t), gain=0.02) + rumble.astype(np.float32)


ODD = {
    "noise": noise(10 * CONFIG.sr),
    "a pop": _with_a_pop(),
    "rumble and an offset": _with_rumble(),
    "silence": np.zeros(3 * CONFIG.sr, np.float32),
    "one sample": noise(1),
    "shorter than a frame": noise(700),
    "music": to_mono(music(8)),
}


@pytest.mark.parametrize("name", ODD)
def test_the_log_mel_is_python_s(node: Node, name: str) -> None:
    found = features_of(node, Sound(ODD[name], CONFIG.sr))
    expected = log_mel(ODD[name], CONFIG)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-3  # dB


def test_a_pop_and_rumble_are_left_out(node: Node) -> None:
    """Else the test above would hold for features that nobody cleaned."""
    quiet = noise(20 * CONFIG.sr, gain=0.005)
    cleaned = features_of(node, Sound(_with_a_pop(), CONFIG.sr))
    assert np.abs(cleaned - log_mel(quiet, CONFIG)).mean() < 0.1


@pytest.mark.slow
def test_it_does_not_matter_in_what_pieces_sound_comes(node: Node) -> None:
    x = song(48_000, 6, seed=3)
    pieces = [128] * 7 + [100_000, 1, 44_100, x.shape[1]]
    whole = features_of(node, Sound(x, 48_000))
    # After each piece a copy is finished, as for a guess; it leaves no trace.
    np.testing.assert_array_equal(whole, features_of(node, Sound(x, 48_000, {"blocks": pieces})))


@pytest.mark.slow
def test_what_is_no_music_scores_as_in_python(node: Node, classifier: Classifier) -> None:
    bundle = classifier.bundle
    assert bundle.no_music is not None
    sounds = [ODD["noise"], ODD["music"], sweep(CONFIG.sr, 4), song(CONFIG.sr, 9, seed=1)[0]]
    found = node.run("texture", [Sound(x, CONFIG.sr) for x in sounds], bundle=DEFAULT_BUNDLE)
    for x, answer in zip(sounds, found, strict=True):
        features = prepare(log_mel(x, CONFIG), CONFIG).features
        expected = bundle.no_music.score(features, frame_rate=CONFIG.frame_rate)
        assert answer["score"] == pytest.approx(expected, abs=2e-3)


def _same_beat(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Flags, tempo and key. Near a border the smallest difference tips a choice."""
    if expected["tempo"] is None or expected["tempo"]["confidence"] > 0.3:
        assert found["flags"] == list(expected["flags"])
    for what, words in (("tempo", ("bpm", "other")), ("key", ("name", "camelot"))):
        if expected[what] is None:
            assert found[what] is None
            continue
        assert found[what]["confidence"] == pytest.approx(expected[what]["confidence"], abs=0.01)
        if expected[what]["confidence"] > 0.3:
            ours, theirs = ([answer[what][word] for word in words] for answer in (found, expected))
            assert ours == (theirs if what == "key" else pytest.approx(theirs, abs=0.2))


def _same(found: dict[str, Any], expected: dict[str, Any], *, within: float) -> None:
    for key in ("genre", "genres", "duration_s", "bundle"):
        assert found[key] == expected[key], key
    _same_beat(found, expected)
    assert found["probabilities"] == pytest.approx(expected["probabilities"], abs=within)
    assert found["confidence"] == pytest.approx(expected["confidence"], abs=within)
    assert len(found["timeline"]) == len(expected["timeline"])
    for ours, theirs in zip(found["timeline"], expected["timeline"], strict=True):
        assert ours == pytest.approx(theirs, abs=max(within, 2e-3))


def _rest() -> Samples:
    """Music with three seconds of silence in the middle."""
    x = to_mono(music(14))
    x[5 * CONFIG.sr : 8 * CONFIG.sr] = 0
    return x


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bundle", "within"),
    # Whole numbers make of a last bit that differs a step of 1 in 255.
    [("tiny", 1e-4), ("shipped", 0.01)],
)
def test_odd_sounds_get_the_same_answer(
    node: Node, tiny_bundle: Path, bundle: str, within: float
) -> None:
    folder = tiny_bundle if bundle == "tiny" else DEFAULT_BUNDLE
    classifier = Classifier.load(folder, threads=1)
    sounds = [*ODD.values(), _rest()]
    found = node.run("answer", [Sound(x, CONFIG.sr) for x in sounds], bundle=folder, net=True)
    for x, answer in zip(sounds, found, strict=True):
        clip = classifier.features(Waveform(x, CONFIG.sr))
        prediction = classifier.classify_features(clip)
        _same(answer, prediction.to_dict(), within=within)
        np.testing.assert_allclose(answer["embedding"], prediction.embedding, atol=within)


@pytest.mark.slow
def test_a_key_that_is_heard_from_the_whole_log_mel_is_the_same(node: Node, tmp_path: Path) -> None:
    heads = tiny_heads() | {"key": Head(whole_key_onnx(), {}, {}, {})}
    folder = make_bundle(tmp_path / "b", heads=heads).path
    classifier = Classifier.load(folder, threads=1)
    sounds = [song(CONFIG.sr, seconds, seed=9) for seconds in (3.0, 70.0)]
    found = node.run("answer", [Sound(x, CONFIG.sr) for x in sounds], bundle=folder, net=True)
    for x, answer in zip(sounds, found, strict=True):
        clip = classifier.features(Waveform(to_mono(np.ascontiguousarray(x.T)), CONFIG.sr))
        prediction = classifier.classify_features(clip)
        assert prediction.key is not None
        assert answer["key"] == pytest.approx(prediction.key.to_dict(), abs=1e-4)


@pytest.mark.slow
def test_what_was_guessed_at_stop_is_the_answer_of_the_whole(node: Node) -> None:
    x = song(48_000, 11, seed=5)
    pieces = [20_000] * 30  # with a guess after each
    live, whole = node.run(
        "answer",
        [Sound(x, 48_000, {"blocks": pieces}), Sound(x, 48_000)],
        bundle=DEFAULT_BUNDLE,
        net=True,
    )
    _same(live, whole, within=1e-4)


@pytest.mark.slow
def test_tracks_that_sound_alike_are_the_same(node: Node, classifier: Classifier) -> None:
    catalogue = Catalogue.load(classifier.bundle)
    rng = np.random.default_rng(0)
    embeddings = [rng.standard_normal(catalogue.embedding.shape[1]) for _ in range(5)]
    embeddings.append(np.zeros(catalogue.embedding.shape[1]))
    jobs = [{"embedding": list(embedding), "n": 24} for embedding in embeddings]
    found = node.run("similar", jobs, bundle=DEFAULT_BUNDLE)
    for embedding, matches in zip(embeddings, found, strict=True):
        expected = [asdict(match) for match in catalogue.nearest(embedding, n=24)]
        assert [match.pop("similarity") for match in matches] == pytest.approx(
            [match.pop("similarity") for match in expected], abs=1e-6
        )
        assert matches == expected


PARTS = {DECIDED: "decided", INDIFFERENT: "indifferent", AGAINST: "against"}


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.01, 0.5, 3])
def test_parts_of_a_sound_are_python_s(node: Node, seconds: float) -> None:
    x = song(CONFIG.sr, seconds, seed=2)[0]
    rng = np.random.default_rng(0)
    mask = rng.uniform(-1, 1, (CONFIG.n_bins, CONFIG.frames(len(x))))
    (found,) = node.run(
        "parts", [Sound(x, CONFIG.sr, {"mask": mask.ravel().tolist()})], bundle=DEFAULT_BUNDLE
    )
    masks = {"decided": np.maximum(mask, 0), "indifferent": 1 - np.abs(mask)}
    masks["against"] = np.maximum(-mask, 0)
    assert found.keys() == masks.keys()
    for name, part in masks.items():
        np.testing.assert_allclose(array(found[name]), mask_sound(x, part, CONFIG), atol=1e-5)


@pytest.mark.slow
def test_loudness_is_python_s(node: Node) -> None:
    quiet, loud = 0.02 * song(CONFIG.sr, 6, seed=3)[0], song(CONFIG.sr, 6, seed=4)[0]
    pops = noise(6 * CONFIG.sr, gain=0.001)
    pops[::7001] = 0.9  # all peaks: the limiter has to work
    sounds = [quiet, 3 * loud, pops, np.zeros(CONFIG.sr, np.float32), quiet[: CONFIG.sr // 5]]
    asked = {"lufs": -20, "peakDb": -1}
    found = node.run("master", [Sound(x, CONFIG.sr, asked) for x in sounds], bundle=DEFAULT_BUNDLE)
    for x, answer in zip(sounds, found, strict=True):
        both = np.stack([x, x])
        assert answer["lufs"] == pytest.approx(loudness(both, CONFIG.sr), abs=1e-3)
        expected = master(both, CONFIG.sr, lufs=-20, peak_db=-1).channels[0]
        np.testing.assert_allclose(array(answer["samples"]), expected, atol=1e-4)


def test_a_wav_file_holds_the_samples(node: Node) -> None:
    x = song(CONFIG.sr, 0.3, seed=6)
    (found,) = node.run("wav", [Sound(x, CONFIG.sr)], bundle=DEFAULT_BUNDLE)
    samples, sr = soundfile.read(io.BytesIO(base64.b64decode(found)))
    assert sr == CONFIG.sr
    np.testing.assert_allclose(samples.T, np.clip(x, -1, 1), atol=2 / 32768)


@pytest.mark.slow
@pytest.mark.parametrize("n_frames", [1, 2, 5, 40, 1292])
def test_what_tells_tempo_and_key_is_python_s(node: Node, n_frames: int) -> None:
    rng = np.random.default_rng(n_frames)
    beats = np.cos(2 * np.pi * np.arange(n_frames) / 21.5) > 0.8
    x = standardise(rng.normal(0, 3, (CONFIG.n_bins, n_frames)) + 20 * beats)
    job = {"data": x.ravel().tolist(), "nBins": CONFIG.n_bins}
    (found,) = node.run("beats", [job], bundle=DEFAULT_BUNDLE)
    rate = CONFIG.frame_rate
    for name, expected in (
        ("tempogram", tempogram(x, frame_rate=rate)),
        ("timbre", timbre(x)),
        ("chroma", chroma(x, CONFIG)),
    ):
        np.testing.assert_allclose(array(found[name]), expected.ravel(), atol=1e-4, err_msg=name)


def test_probabilities_of_tempi_are_read_as_python_reads_them(node: Node) -> None:
    rng = np.random.default_rng(1)
    rows = [rng.dirichlet(np.full(N_TEMPI, 0.05)) for _ in range(8)]
    rows.append(np.eye(N_TEMPI)[100])  # no other tempo
    found = node.run("tempo", [{"probs": list(row)} for row in rows], bundle=DEFAULT_BUNDLE)
    for row, tempo in zip(rows, found, strict=True):
        assert tempo == pytest.approx(vars(read_tempo(row)))


@pytest.mark.slow
def test_the_same_parts_decide(node: Node, classifier: Classifier) -> None:
    samples, sr = soundfile.read(SAMPLES / "disco.ogg", dtype="float32", always_2d=True)
    sound = Sound(samples.T, sr, {"genre": "disco"})
    (found,) = node.run("explain", [sound], bundle=DEFAULT_BUNDLE, net=True)
    explanation = classifier.explain(as_waveform(sound), "disco")
    expected = explanation.to_dict()
    sounds = found["sounds"]
    found = found["figures"]
    assert found.keys() == expected.keys()
    for key in ("genre", "words", "decisive", "bundle"):
        assert found[key] == expected[key]
    for key in ("cells", "bands_hz", "times", "deletion_auc", "insertion_auc", "probability"):
        np.testing.assert_allclose(found[key], expected[key], atol=0.01)
    moments = [[moment[key] for moment in found["moments"]] for key in ("start", "probability")]
    theirs = [[moment[key] for moment in expected["moments"]] for key in ("start", "probability")]
    np.testing.assert_allclose(moments, theirs, atol=0.01)
    for name, part in explanation.sounds().items():
        ours = array(sounds[PARTS[name]])
        assert len(ours) == len(part.samples)
        # The samples themselves come from another resampler.
        assert np.abs(ours - part.samples).max() < 0.01
        assert np.abs(ours - part.samples).mean() < 1e-3
    # The orders of chance are others, so this mean of three is another.
    assert found["random_deletion_auc"] == pytest.approx(expected["random_deletion_auc"], abs=0.2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bpm", "told", "seed"), [(117.3, 118.5, 0), (92.0, 91.0, 1), (174, 171, 2)]
)
def test_the_pulse_lies_on_the_beats(node: Node, bpm: float, told: float, seed: int) -> None:
    sr, period = 44_100, 60 / bpm
    first = 0.8 * period
    t = np.arange(30 * sr) / sr
    drum = np.exp(-30 * ((t - first) % period)) * noise(len(t), gain=0.4, seed=seed)
    between = np.exp(-60 * ((t - first - period / 2) % period)) * noise(len(t), gain=0.1, seed=9)
    chord = 0.2 * np.sin(2 * np.pi * 220 * t) + noise(len(t), gain=0.002, seed=seed)
    sound = Sound((drum + between + chord).astype(np.float32), sr, {"bpm": told})
    (pulse,) = node.run("pulse", [sound], bundle=DEFAULT_BUNDLE)
    beats = first + period * np.arange(int((29 - first) / period))
    off = (beats - pulse["first"]) / pulse["period"]
    assert np.abs(off - off.round()).max() * period < 0.02


def faded_in(samples: Samples, sr: int) -> Samples:
    """The same with a start that is not cut off.

    At a first sample that is not 0, soxr and we ring in other ways, which below 22,050 Hz shows
    in the first frame's empty bands, 75 dB below the loudest.
    """
    n = round(0.01 * sr)
    return samples * np.append(np.linspace(0, 1, n), np.ones(samples.shape[-1] - n)).astype("f4")


N_MADE_UP, N_REAL = 140, 60


def _made_up() -> list[Sound]:
    sounds = []
    for seed in range(N_MADE_UP):
        sr = RATES[seed % len(RATES)]
        if seed % 4 == 0:
            x = sweep(sr, 2 + seed % 3, high_hz=min(sr / 2, 900 * (1 + seed)))
        else:
            # Mostly short, since each costs time; some of more than a window.
            x = song(sr, 11 if seed % 25 == 24 else 2 + seed % 3, seed=seed)
        sounds.append(Sound(faded_in(x, sr), sr))
    return sounds


def _real(folder: Path) -> list[Sound]:
    """Clips of the shared data, spread over the genres, at other rates than their own."""
    paths = sorted(folder.glob("*/*.*"))
    sounds = []
    for i, path in enumerate(paths[:: max(1, len(paths) // N_REAL)][:N_REAL]):
        sr = RATES[i % len(RATES)]
        clip = decode(path, duration=10)
        sounds.append(Sound(faded_in(soxr.resample(clip.samples, clip.sr, sr), sr), sr))
    return sounds


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle as browsers get it: its nets' weights rounded."""
    folder = tmp_path_factory.mktemp("published") / "default"
    shutil.copytree(DEFAULT_BUNDLE, folder)
    for path in folder.glob("*.onnx"):
        path.write_bytes(whole(*halve(path.read_bytes())))
    return folder


def _agree(node: Node, classifier: Classifier, published: Path, sounds: list[Sound]) -> None:
    found = node.run("answer", sounds, bundle=published, net=True)
    assert len(found) == len(sounds)
    same = 0
    for sound, answer in zip(sounds, found, strict=True):
        clip = extract_features(classifier.bundle, as_waveform(sound))
        expected = classifier.classify_features(clip).to_dict()
        assert answer["probabilities"] == pytest.approx(expected["probabilities"], abs=0.01)
        same += answer["genre"] == expected["genre"]
    assert same >= 0.995 * len(sounds)


@pytest.mark.slow
def test_music_and_sweeps_at_every_rate_are_the_same_genre(
    node: Node, classifier: Classifier, published: Path
) -> None:
    _agree(node, classifier, published, _made_up())


@pytest.mark.slow
def test_real_clips_are_the_same_genre(
    node: Node, classifier: Classifier, published: Path, gtzan_dir: Path
) -> None:
    _agree(node, classifier, published, _real(gtzan_dir / "audio"))
