from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrescope.features.config import STORE_CONFIG
from genrescope.features.windows import spread
from genrescope.model import Prediction

LABELS = ("blues", "jazz", "rock")


def make(
    probs: list[list[float]], *, times: list[list[float]], duration_s: float, flags: tuple = ()
) -> Prediction:
    p = np.array(probs, np.float32)
    return Prediction(
        labels=LABELS,
        times=np.array(times),
        probs=p,
        step_times=np.array(times),
        step_probs=p,
        clip_probs=p.mean(axis=0),
        embedding=np.zeros(4, np.float32),
        flags=flags,
        duration_s=duration_s,
        bundle="tiny",
    )


@st.composite
def predictions(draw: st.DrawFn) -> Prediction:
    """Predictions on the windows of real clips, from one sample to two minutes."""
    n_samples = draw(st.integers(1, 120 * STORE_CONFIG.sr))
    window = draw(st.integers(2, 80))
    hop = draw(st.integers(1, window))
    starts, length = spread(STORE_CONFIG.frames(n_samples), window_length=window, hop_length=hop)
    duration_s = n_samples / STORE_CONFIG.sr
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    probs = (0.1 + 0.7 * np.eye(3)[rng.integers(3, size=len(starts))]).tolist()
    times = np.stack([starts, starts + length], axis=1) / STORE_CONFIG.frame_rate
    return make(probs, times=np.minimum(times, duration_s).tolist(), duration_s=duration_s)


@given(predictions())
def test_a_timeline_covers_its_clip_without_gaps(prediction: Prediction) -> None:
    segments = prediction.timeline()
    assert segments[0].start == 0
    assert segments[-1].end == prediction.duration_s
    for before, after in pairwise(segments):
        assert before.end == after.start
        assert before.label != after.label
    assert all(s.start < s.end for s in segments)
    assert all(s.probability == pytest.approx(0.8) for s in segments)


@pytest.mark.slow
@given(predictions())
def test_probabilities_sum_to_one(prediction: Prediction) -> None:
    assert prediction.clip_probs.sum() == pytest.approx(1, abs=1e-5)
    assert sum(prediction.to_dict()["probabilities"].values()) == pytest.approx(1, abs=1e-4)


def test_steps_speak_for_the_time_nearest_to_their_centre() -> None:
    prediction = make(
        [[0.9, 0.1, 0], [0.7, 0.2, 0.1], [0.1, 0.3, 0.6]],
        times=[[0, 3], [1.5, 4.5], [3, 6]],
        duration_s=6,
    )
    first, second = prediction.timeline()
    assert (first.start, first.end, first.label) == (0, 3.75, "blues")
    assert first.probability == pytest.approx(0.8)
    assert (second.start, second.end, second.label) == (3.75, 6, "rock")


def test_a_timeline_leaves_silences_out() -> None:
    steps = [[2, 5], [5, 8], [20, 23], [23.1, 26]]
    prediction = make([[0.9, 0.1, 0]] * 4, times=steps, duration_s=30)
    assert [(s.start, s.end) for s in prediction.timeline()] == [(2, 8), (20, 26)]


def test_ranking_is_most_probable_first_and_agrees_with_the_genre() -> None:
    prediction = make([[0.2, 0.5, 0.3]], times=[[0, 3]], duration_s=3)
    assert [label for label, _ in prediction.ranking()] == ["jazz", "rock", "blues"]
    assert prediction.genre == "jazz"
    assert prediction.confidence == pytest.approx(0.5)


def test_a_silent_clip_has_no_label() -> None:
    third = [1 / 3] * 3
    prediction = make([third, third], times=[[0, 3], [3, 6]], duration_s=6, flags=("silent",))
    assert prediction.genre is None
    assert prediction.timeline() == []
    assert prediction.to_dict()["genre"] is None


def test_to_dict_is_plain_json() -> None:
    prediction = make([[0.2, 0.5, 0.3]], times=[[0, 2.5]], duration_s=2.5, flags=("short",))
    assert json.loads(json.dumps(prediction.to_dict())) == {
        "genre": "jazz",
        "confidence": 0.5,
        "genres": [],
        "probabilities": {"blues": 0.2, "jazz": 0.5, "rock": 0.3},
        "timeline": [{"start": 0.0, "end": 2.5, "label": "jazz", "probability": 0.5}],
        "tempo": None,
        "key": None,
        "duration_s": 2.5,
        "flags": ["short"],
        "bundle": "tiny",
    }
