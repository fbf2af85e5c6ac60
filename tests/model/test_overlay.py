"""The picture of an explanation: orange where a part decided, blue where it spoke against."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genrescope.audio.waveform import Waveform
from genrescope.model import Classifier
from genrescope.model.explain import Explanation
from genrescope.model.overlay import HEIGHT, LEAST_WIDTH, _colours, draw_overlay

SR = 22_050


@pytest.fixture(scope="module")
def explanation(tiny_bundle: Path) -> Explanation:
    """Of a tone at the lower end of the spectrum, which is what the tiny bundle calls blues."""
    times = np.arange(7 * SR) / SR
    samples = np.random.default_rng(0).normal(0, 1e-2, len(times))
    samples += 0.5 * np.sin(2 * np.pi * 100 * times)
    return Classifier.load(tiny_bundle).explain(Waveform(samples.astype(np.float32), SR))


def test_the_overlay_is_a_picture_with_low_frequencies_at_its_foot(
    explanation: Explanation,
) -> None:
    picture = Image.open(io.BytesIO(draw_overlay(explanation)))
    assert picture.format == "PNG"
    assert picture.size == (LEAST_WIDTH, HEIGHT)
    pixels = np.asarray(picture).astype(int)
    assert pixels.shape[2] == 3
    orange = (pixels[..., 0] - pixels[..., 2]).clip(0).sum(axis=1)
    assert orange[-HEIGHT // 8 :].mean() > 10 * orange[: HEIGHT // 2].mean()


def test_colours_stand_for_the_sign_of_the_mask_and_grey_for_the_level() -> None:
    features = np.array([[-80.0, 0.0, 0.0, 0.0]])
    pixels = _colours(features, np.array([[0.0, 0.0, 1.0, -1.0]])).astype(int)
    quiet, loud, decided, against = pixels[0]
    assert quiet.tolist() == [0, 0, 0]
    assert loud.tolist() == [255, 255, 255]
    assert decided[0] > decided[1] > decided[2]
    assert against[2] > against[1] > against[0]


def test_features_without_any_difference_are_drawn_black() -> None:
    assert not _colours(np.full((3, 4), -80.0), np.zeros((3, 4))).any()
