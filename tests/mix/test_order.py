"""The order of a mix."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest

from genrescope.mix.analysis import Material
from genrescope.mix.order import friction, in_order, tempo_ratio


def _material(tempo: float, key: int = 0, balance: float = 0.0) -> Material:
    return Material(
        f"{tempo}.wav", 0.0, 60.0, np.arange(0, 60, 60 / tempo), tempo, key, np.full(5, balance)
    )


@pytest.mark.parametrize(
    ("before", "after", "ratio"),
    [(100, 104, 1.04), (80, 160, 1.0), (160, 82, 1.025), (120, 100, 100 / 120)],
)
def test_a_ratio_is_of_the_same_pulse(before: float, after: float, ratio: float) -> None:
    assert tempo_ratio(before, after) == pytest.approx(ratio)


def test_what_is_alike_has_no_friction_and_each_difference_adds() -> None:
    song = _material(120)
    assert friction(song, _material(120)) == 0
    assert friction(song, _material(120, key=7)) < friction(song, _material(120, key=6))
    # A minor key goes with its relative major: A major is 0, F sharp minor 12 + 9.
    assert friction(song, _material(120, key=12 + 9)) == 0
    assert friction(song, _material(124)) > 0
    assert friction(song, _material(120, balance=3.0)) > 0


def test_the_best_of_all_orders_is_found() -> None:
    rng = np.random.default_rng(0)
    songs = [_material(rng.uniform(80, 150), int(rng.integers(0, 24))) for _ in range(6)]

    def cost(order: tuple[Material, ...]) -> float:
        return sum(friction(a, b) for a, b in pairwise(order))

    best = min(cost(order) for order in permutations(songs))
    assert cost(tuple(in_order(songs))) == pytest.approx(best)


def test_many_recordings_are_all_there() -> None:
    songs = [_material(80.0 + 7 * (i * 5 % 14)) for i in range(14)]
    order = in_order(songs)
    assert sorted(song.path for song in order) == sorted(song.path for song in songs)
    jumps = [abs(np.log2(tempo_ratio(a.tempo, b.tempo))) for a, b in pairwise(order)]
    assert np.mean(jumps) < 0.15
