"""The order of a mix: from each recording to one that goes well after it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from genrescope.mix.analysis import Material
from genrescope.model.key import hour

EXACT = 11
"""Up to so many recordings every order is considered."""

_TEMPO_COST = 10.0  # of a tempo that is twice as far as can be matched is about 1
_KEY_COST = 0.15  # of a step on the circle of fifths
_BALANCE_COST = 0.05  # of a dB


def tempo_ratio(before: float, after: float) -> float:
    """How much faster the second tempo is, as the same pulse: between the root of 1/2 and of 2."""
    octaves = math.log2(after / before)
    return float(2 ** (octaves - round(octaves)))


def friction(before: Material, after: Material) -> float:
    """How little two recordings go together, 0 for what is alike."""
    tempo = abs(math.log2(tempo_ratio(before.tempo, after.tempo)))
    balance = float(np.abs(before.balance - after.balance).mean())
    keys = _KEY_COST * _key_distance(before.key, after.key)
    return _TEMPO_COST * tempo + keys + _BALANCE_COST * balance


def _key_distance(key: int, other: int) -> int:
    """Steps on the circle of fifths, on which a minor key stands with its relative major."""
    apart = (hour(key) - hour(other)) % 12
    return min(apart, 12 - apart)


def in_order(materials: Sequence[Material]) -> list[Material]:
    """Recordings in the order of least friction in all.

    Of more than `EXACT`, the best of the orders that always go on with the nearest.
    """
    n = len(materials)
    costs = np.array([[friction(a, b) for b in materials] for a in materials])
    path = _shortest(costs) if n <= EXACT else _nearest(costs)
    return [materials[place] for place in path]


def _shortest(costs: NDArray[np.float64]) -> list[int]:
    """The shortest path through all, after Held and Karp 1962."""
    n = len(costs)
    best: dict[tuple[int, int], tuple[float, int]] = {(1 << i, i): (0.0, -1) for i in range(n)}
    for visited in range(1, 1 << n):
        for last in range(n):
            if (visited, last) not in best:
                continue
            cost = best[visited, last][0]
            for after in range(n):
                if visited >> after & 1:
                    continue
                key = (visited | 1 << after, after)
                sum_ = cost + float(costs[last, after])
                if key not in best or sum_ < best[key][0]:
                    best[key] = (sum_, last)
    whole = (1 << n) - 1
    last = min(range(n), key=lambda place: best[whole, place][0])
    path = []
    while last >= 0:
        path.append(last)
        before = best[whole, last][1]
        whole, last = whole & ~(1 << last), before
    return path[::-1]


def _nearest(costs: NDArray[np.float64]) -> list[int]:
    def from_(start: int) -> list[int]:
        path, left = [start], set(range(len(costs))) - {start}
        while left:
            path.append(min(left, key=lambda place: (costs[path[-1], place], place)))
            left.remove(path[-1])
        return path

    paths = [from_(start) for start in range(len(costs))]
    return min(paths, key=lambda path: sum(costs[a, b] for a, b in pairwise(path)))
