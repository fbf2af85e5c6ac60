from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrescope.features.silence import SHORTEST_S, SILENT_DB, sounding

RATE = 10.0
SHORTEST = round(SHORTEST_S * RATE)


def clip(*spans: tuple[int, float]) -> np.ndarray:
    """Frames of four bands whose loudest lies at each level in turn, (n_frames, dB)."""
    levels = np.concatenate([np.full(n, db, np.float32) for n, db in spans])
    return levels - np.array([[30.0], [0.0], [10.0], [50.0]], np.float32)


@pytest.mark.parametrize(
    ("features", "left"),
    [
        (clip((8, -80), (20, 0)), range(8, 28)),
        (clip((20, -7), (8, -80)), range(20)),
        (clip((9, 0), (SHORTEST, -60), (9, -20)), [*range(9), *range(14, 23)]),
        (clip((9, 0), (SHORTEST - 1, -80), (9, 0)), range(22)),
        (clip((9, 0), (9, -SILENT_DB)), range(18)),
        (clip((30, -80)), range(30)),
        (clip((30, 12)), range(30)),
    ],
    ids=["before", "after", "gap", "pause", "calm", "silent", "steady"],
)
def test_silences_are_left_out_and_pauses_are_not(features: np.ndarray, left: list[int]) -> None:
    assert sounding(features, frame_rate=RATE).tolist() == list(left)


@given(
    levels=st.lists(st.floats(-100, 20, width=32), min_size=1, max_size=60),
    gain=st.floats(-40, 40, width=32),
)
def test_the_loudest_frame_stays_and_level_does_not_matter(
    levels: list[float], gain: float
) -> None:
    features = clip(*((1, level) for level in levels))
    left = sounding(features, frame_rate=RATE)
    assert int(np.argmax(levels)) in left
    assert np.all(np.diff(left) > 0)
    again = sounding(np.round(features) + round(gain), frame_rate=RATE)
    assert again.tolist() == sounding(np.round(features), frame_rate=RATE).tolist()
