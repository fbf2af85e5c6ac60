"""The path from features to probabilities, with nets made of arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from genrescope.features.config import STORE_CONFIG
from genrescope.model.inference import (
    NetOutput,
    PreparedClip,
    Windowing,
    clip_probabilities,
    infer,
    prepare,
    softmax,
    standardised_span,
)

RNG = np.random.default_rng(0)


def bands(windows: NDArray[np.float32]) -> NetOutput:
    """Logits are the means of the bands; the embedding counts the frames."""
    means = windows.mean(axis=2)
    return NetOutput(means, means[:, None], np.full((len(windows), 1), windows.shape[2]))


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    batch_frames=st.integers(1, 100),
    stretched=st.booleans(),
)
def test_clips_together_are_answered_as_each_alone(
    lengths: list[int], batch_frames: int, stretched: bool
) -> None:
    rng = np.random.default_rng(sum(lengths))
    clips = [rng.normal(size=(3, n)).astype(np.float32) for n in lengths]
    windowing = Windowing(7, 5, stretched=stretched)
    together = list(infer(clips, bands, windowing, batch_frames=batch_frames))
    assert len(together) == len(clips)
    for clip, output in zip(clips, together, strict=True):
        starts, length = windowing.places(clip.shape[1])
        (alone,) = infer([clip], bands, windowing)
        assert len(output) == len(starts)
        assert output.logits.tolist() == alone.logits.tolist()
        assert output.embedding is not None
        assert (output.embedding == length).all()


@given(n_frames=st.integers(1, 60), level=st.floats(-80, 80), constant=st.booleans())
def test_prepared_clips_are_standardised_as_a_whole(
    n_frames: int, level: float, constant: bool
) -> None:
    noise = np.random.default_rng(n_frames).normal(level, 0 if constant else 10, (3, n_frames))
    clip = PreparedClip(noise.astype(np.float32), np.arange(n_frames))
    windowing = Windowing(7, 5)
    (by_window,) = infer([clip], bands, windowing)
    (whole,) = infer([clip.standardised()], bands, windowing)
    assert by_window.logits.tolist() == whole.logits.tolist()


def test_the_net_never_gets_more_frames_than_it_is_to_get_at_a_time() -> None:
    shapes: list[tuple[int, ...]] = []

    def net(windows: NDArray[np.float32]) -> NetOutput:
        shapes.append(windows.shape)
        return bands(windows)

    clips = [RNG.normal(size=(3, 70)), RNG.normal(size=(3, 70)), RNG.normal(size=(3, 10))]
    list(infer(clips, net, Windowing(10, 10), batch_frames=40))
    assert [shape[0] for shape in shapes] == [4, 4, 4, 3]


def test_a_net_that_gives_logits_alone_is_enough() -> None:
    def net(windows: NDArray[np.float32]) -> NetOutput:
        return NetOutput(windows.mean(axis=2))

    (output,) = infer([RNG.normal(size=(3, 70))], net, Windowing(10, 10))
    assert output.steps is None
    assert output.embedding is None


def test_windows_that_are_not_stretched_keep_their_length() -> None:
    starts, length = Windowing(39, 39, stretched=False).places(100)
    assert (starts.tolist(), length) == ([0, 39, 61], 39)
    starts, length = Windowing(39, 39).places(100)
    assert (starts.tolist(), length) == ([0, 50], 50)


def test_a_short_clip_is_heard_as_it_is_and_a_shorter_one_repeated() -> None:
    windowing = Windowing.of_length(129, config=STORE_CONFIG)
    lengths = [windowing.places(n)[1] for n in (5, 26, 60, 129)]
    assert lengths == [26, 26, 60, 129]
    (output,) = infer([RNG.normal(size=(3, 60)).astype(np.float32)], bands, windowing)
    assert output.embedding is not None
    assert output.embedding.tolist() == [[60]]
    assert Windowing.of_length(13, config=STORE_CONFIG).places(5)[1] == 13


def test_parts_are_told_apart_where_they_are_no_guesses() -> None:
    ten, one = (Windowing.of_length(n, config=STORE_CONFIG) for n in (129, 13))
    assert [ten.tells_apart(3, n) for n in (26, 77, 78, 129)] == [False, False, True, True]
    assert one.tells_apart(2, 13)


def test_silences_are_left_out_before_a_clip_is_standardised() -> None:
    features = RNG.normal(-30, 5, (128, 100)).astype(np.float32)
    features[:, 40:60] = -120
    prepared = prepare(features, STORE_CONFIG)
    assert prepared.frames.tolist() == [*range(40), *range(60, 100)]
    x = prepared.standardised()
    assert x.shape == (128, 80)
    assert abs(float(x.mean())) < 1e-5
    assert float(x.std()) == pytest.approx(1, abs=1e-4)


def test_a_span_is_standardised_with_the_whole_clip() -> None:
    features = RNG.normal(-30, 5, (128, 100)).astype(np.float32)
    features[:, 40:60] = -120
    part = standardised_span(features, (40 / STORE_CONFIG.frame_rate, 3.2), STORE_CONFIG)
    whole = (features - features.mean()) / features.std()
    np.testing.assert_allclose(part, whole[:, 40 : 40 + part.shape[1]], atol=1e-4)


@given(
    logits=st.lists(st.lists(st.floats(-50, 50), min_size=3, max_size=3), min_size=1, max_size=5),
    temperature=st.floats(0.1, 10),
)
def test_probabilities_sum_to_one_and_keep_the_order(
    logits: list[list[float]], temperature: float
) -> None:
    array: NDArray[Any] = np.array(logits)
    probs = softmax(array, temperature)
    assert probs.sum(axis=1) == pytest.approx(1)
    assert clip_probabilities(array, temperature) == pytest.approx(probs.mean(axis=0))
    for row, of_row in zip(array, probs, strict=True):
        assert of_row[row.argmax()] == of_row.max()
