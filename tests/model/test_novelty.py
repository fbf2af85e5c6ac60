"""What tells that a recording is no music: its score, its flag, what may stand in a bundle."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundle_maker import make_bundle

from genrescope.audio.waveform import Waveform
from genrescope.errors import BundleError
from genrescope.features.texture import NAMES, texture
from genrescope.model.bundle import Bundle
from genrescope.model.card import model_card
from genrescope.model.classifier import Classifier
from genrescope.model.novelty import MAX_WINDOWS, NoMusic

SR, N = 22_050, len(NAMES)
N_TERMS = N + N * (N + 1) // 2


def weighing(name: str, weight: float, *, threshold: float) -> NoMusic:
    """A model that looks at one descriptor alone."""
    weights = [0.0] * N_TERMS
    weights[NAMES.index(name)] = weight
    return NoMusic(
        mean=(0.0,) * N,
        scale=(10.0,) * N,
        weights=tuple(weights),
        bias=0.0,
        threshold=threshold,
        figures={"music": 0.01},
    )


FLAT = weighing("flatness_mean", 1.0, threshold=-1.5)


def noise(seconds: float) -> Waveform:
    samples = np.random.default_rng(0).normal(0, 0.1, round(seconds * SR)).astype(np.float32)
    return Waveform(samples, SR)


def tone(seconds: float) -> Waveform:
    t = np.arange(round(seconds * SR)) / SR
    return Waveform((0.3 * np.sin(2 * np.pi * 440 * t)).astype(np.float32), SR)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return Classifier(
        make_bundle(tmp_path_factory.mktemp("b"), thresholds={"set": 0.5}, no_music=FLAT)
    )


@pytest.mark.parametrize("seconds", [0.4, 2.5, 10.0])
def test_the_flag_falls_on_what_scores_above(classifier: Classifier, seconds: float) -> None:
    assert "no music" in classifier.classify(noise(seconds)).flags
    assert "no music" not in classifier.classify(tone(seconds)).flags


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0])
def test_the_genres_it_may_be_reach_as_deep_as_the_bundle_says(
    tmp_path: Path, threshold: float
) -> None:
    unit = Classifier(make_bundle(tmp_path / "b", thresholds={"set": threshold}))
    prediction = unit.classify(noise(4))
    ranking = prediction.ranking()
    before = np.cumsum([0.0, *(p for _, p in ranking[:-1])])
    assert prediction.genres == tuple(
        label for (label, _), p in zip(ranking, before, strict=True) if p <= threshold + 1e-6
    )
    assert prediction.to_dict()["genres"] == list(prediction.genres)
    assert len(prediction.genres) == {0.0: 1, 1.0: 10}.get(threshold, len(prediction.genres))


def test_a_bundle_without_a_promise_names_no_set(tiny_bundle: Path) -> None:
    assert Classifier.load(tiny_bundle).classify(noise(4)).genres == ()


def test_a_flagged_answer_still_ranks_and_silence_is_silent_alone(classifier: Classifier) -> None:
    assert classifier.classify(noise(4)).genre is not None
    silent = classifier.classify(Waveform(np.zeros(4 * SR, np.float32), SR))
    assert silent.flags == ("silent",)
    assert silent.genres == ()


@pytest.mark.parametrize("level", [-37.0, 12.0])
def test_a_score_is_free_of_level(level: float) -> None:
    x = np.random.default_rng(1).uniform(-60, 0, (128, 100))
    rate = SR / 1708
    assert FLAT.score(x + level, frame_rate=rate) == pytest.approx(
        FLAT.score(x, frame_rate=rate), abs=1e-3
    )


def test_a_clip_scores_the_mean_of_its_windows() -> None:
    x = np.random.default_rng(1).uniform(-60, 0, (128, 78))
    each = FLAT.scores(texture(np.stack([x[:, :39], x[:, 39:]])))
    assert FLAT.score(x, frame_rate=13.0) == pytest.approx(each.mean())


def test_products_of_descriptors_are_weighed() -> None:
    rng = np.random.default_rng(0)
    model = replace(FLAT, weights=tuple(rng.normal(size=N_TERMS)), bias=0.5)
    described = rng.normal(0, 100, (3, N))
    z = np.clip(described / 10, -4, 4)
    expected = []
    for row in z:
        pairs = [row[i] * row[j] for i in range(N) for j in range(i, N)]
        expected.append(0.5 + np.dot([*row, *pairs], model.weights))
    np.testing.assert_allclose(model.scores(described), expected)


def test_hours_are_judged_by_windows_spread_over_them() -> None:
    windows = NoMusic.windows(np.arange(40_000.0)[None], 10)
    assert windows.shape == (MAX_WINDOWS, 1, 10)
    assert (windows[0, 0, 0], windows[-1, 0, -1]) == (0, 39_999)
    assert np.diff(windows[:, 0, 0]).max() <= 2 * np.diff(windows[:, 0, 0]).min()


def test_a_bundle_keeps_it_and_the_card_tells(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "b", no_music=FLAT, thresholds={"set": 0.4})
    assert Bundle.load(bundle.path).no_music == FLAT
    card = model_card(bundle)
    assert "`no music`" in card
    assert "music 1.0%" in card
    assert "`genres`" in card
    without = make_bundle(tmp_path / "c")
    assert without.no_music is None
    assert "`no music`" not in model_card(without)


def test_a_bundle_may_lack_the_key(tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "b").path / "bundle.json"
    payload = json.loads(path.read_text())
    del payload["no_music"]
    path.write_text(json.dumps(payload))
    assert Bundle.load(path.parent).no_music is None


Change = Callable[[dict[str, Any]], Any]
BAD: dict[str, tuple[Change, str]] = {
    "other descriptors": (lambda d: d["descriptors"].reverse(), "descriptors"),
    "a key too many": (lambda d: d.update(exec="x"), "just"),
    "a key too few": (lambda d: d.pop("bias"), "just"),
    "too few numbers": (lambda d: d["weights"].pop(), "weights"),
    "a text": (lambda d: d["mean"].__setitem__(0, "1"), "mean"),
    "no spread": (lambda d: d["scale"].__setitem__(0, 0), "scale"),
    "a threshold that is none": (lambda d: d.update(threshold=None), "threshold"),
    "beyond all bounds": (lambda d: d.update(bias=1e12), "bias"),
    "a window without end": (lambda d: d.update(window_s=1e6), "window_s"),
    "figures that are none": (lambda d: d.update(figures={"music": "few"}), "figures"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_not_right_is_refused_in_words(case: str, tmp_path: Path) -> None:
    change, word = BAD[case]
    path = make_bundle(tmp_path / "b", no_music=FLAT).path / "bundle.json"
    payload = json.loads(path.read_text())
    change(payload["no_music"])
    path.write_text(json.dumps(payload))
    with pytest.raises(BundleError, match=word):
        Bundle.load(path.parent)


def test_no_music_of_another_type_is_refused(tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "b").path / "bundle.json"
    payload = json.loads(path.read_text())
    path.write_text(json.dumps({**payload, "no_music": [1]}))
    with pytest.raises(BundleError, match="no_music"):
        Bundle.load(path.parent)
