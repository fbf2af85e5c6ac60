"""An explanation as a picture: the spectrogram, coloured where it decided or spoke against."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from genrescope.model.explain import Explanation

DECIDED_RGB, AGAINST_RGB = (255, 140, 0), (40, 120, 255)
HEIGHT, LEAST_WIDTH = 512, 640
"""Of the picture, pixels."""


def draw_overlay(explanation: Explanation) -> bytes:
    """The spectrogram in grey, orange where a part decided and blue where it spoke against.

    Returns:
        A PNG file; time runs to the right, frequency (mel) upwards.
    """
    from PIL import Image  # for who draws alone

    pixels = _colours(explanation.features, explanation.mask())
    picture = Image.fromarray(np.ascontiguousarray(pixels[::-1]))
    width = max(LEAST_WIDTH, picture.width)
    file = io.BytesIO()
    picture.resize((width, HEIGHT), Image.Resampling.BICUBIC).save(file, "PNG")
    return file.getvalue()


def _colours(features: NDArray[np.floating], mask: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Pixels, uint8 (n_bins, n_frames, 3), of features in dB and a mask from -1 to 1."""
    lowest, highest = float(features.min()), float(features.max())
    grey = 255 * (features - lowest) / max(highest - lowest, 1e-9)
    colour = np.where(mask[..., None] > 0, DECIDED_RGB, AGAINST_RGB)
    strength = 0.75 * np.abs(mask)[..., None]
    mixed = grey[..., None] * (1 - strength) + colour * strength * (
        0.35 + 0.65 * grey[..., None] / 255
    )
    pixels: NDArray[np.uint8] = mixed.round().astype(np.uint8)
    return pixels
