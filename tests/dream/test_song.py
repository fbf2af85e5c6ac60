"""A song's numbers: their limits, and points of the unit cube."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrescope.dream.song import MODES, PROGRESSIONS, VOICINGS, Song, parameters

N = len(parameters())


@given(st.lists(st.floats(-1, 2), min_size=N, max_size=N))
def test_every_point_is_a_song_within_its_limits(point: list[float]) -> None:
    song = Song.from_vector(point)
    for parameter in parameters():
        told, value = parameter.metadata, getattr(song, parameter.name)
        if "names" in told:
            assert value in told["names"]
        else:
            assert told["low"] * 0.999 - 1e-9 <= value <= told["high"] * 1.001 + 1e-9 or (
                told["low"] < 0 and told["low"] - 1e-9 <= value <= told["high"] + 1e-9
            )
    assert Song.from_vector(song.to_vector()).to_vector() == pytest.approx(song.to_vector())


def test_each_number_says_what_it_is() -> None:
    assert N >= 60
    for parameter in parameters():
        assert parameter.metadata["meaning"]
        assert "names" in parameter.metadata or parameter.metadata["unit"]


def test_another_number_of_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="numbers"):
        Song.from_vector(np.zeros(N - 1))


def test_chords_and_scales_stay_within_the_octave() -> None:
    assert all(scale == tuple(sorted(set(scale))) and scale[-1] < 12 for scale in MODES.values())
    assert all(0 <= degree < 7 for degrees in PROGRESSIONS.values() for degree in degrees)
    assert all(above[0] == 0 and above == tuple(sorted(above)) for above in VOICINGS.values())
