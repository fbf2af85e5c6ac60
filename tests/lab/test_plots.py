"""Pictures."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from genrescope.audio.waveform import Waveform
from genrescope.features.config import FeatureConfig
from genrescope.lab.plots import draw_dataset

CONFIG = FeatureConfig(sr=8000, n_fft=256, hop_length=256, n_mels=20)


def clip(seconds: float) -> Waveform:
    noise = np.random.default_rng(0).standard_normal(round(seconds * 8000))
    return Waveform((0.1 * noise).astype(np.float32), 8000)


@pytest.mark.parametrize(("seconds", "n_windows"), [(16.0, 5), (7.0, 2), (1.0, 1)])
def test_picture_has_every_clip_and_the_windows(seconds: float, n_windows: int) -> None:
    figure = draw_dataset({"fado": clip(seconds), "polka": clip(0.5)}, config=CONFIG)
    figure.canvas.draw()
    texts = [ax.get_ylabel() for ax in figure.axes] + [ax.get_title() for ax in figure.axes]
    assert {"fado", "polka"} <= set(texts)
    assert sum(" to " in text and text.endswith(" s") for text in texts) == n_windows
    assert len(figure.axes) == 2 * 3 + 1 + n_windows
    boxes = figure.axes[6].patches
    spans = sorted((box.get_x(), box.get_x() + box.get_width()) for box in boxes)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))


def test_picture_of_nothing() -> None:
    with pytest.raises(ValueError, match="no clips"):
        draw_dataset({})
