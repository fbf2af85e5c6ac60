"""The key by the profile of the pitch classes."""

from __future__ import annotations

import numpy as np
import pytest

from genrescope.features.tonality import key_of, pitch_classes

SR = 22_050
SCALES = {0: (0, 2, 4, 5, 7, 9, 11), 12: (0, 2, 3, 5, 7, 8, 11)}


def _scale(tonic: int, minor: bool) -> np.ndarray:
    """A scale up, its chord twice as long."""
    t = np.arange(round(0.5 * SR)) / SR
    degrees = SCALES[12 if minor else 0]
    notes = [*degrees, 0, degrees[2], degrees[4], 0, 12]
    return np.concatenate(
        [np.sin(2 * np.pi * 220 * 2 ** ((tonic + note) / 12) * t) for note in notes]
    ).astype(np.float32)


@pytest.mark.parametrize("tonic", range(12))
@pytest.mark.parametrize("minor", [False, True])
def test_a_scale_has_its_key(tonic: int, minor: bool) -> None:
    classes = pitch_classes(_scale(tonic, minor), SR)
    assert classes.sum() == pytest.approx(1)
    assert key_of(classes) == tonic + 12 * minor


def test_silence_has_no_pitch() -> None:
    classes = pitch_classes(np.zeros(SR, np.float32), SR)
    assert not classes.any()
    assert key_of(classes) == 0
