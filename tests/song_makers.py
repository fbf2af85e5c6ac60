"""Songs for the tests of dreams."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from genrescope.dream.song import Song, parameters


def by_chance(seed: int) -> Song:
    """A song of numbers drawn evenly."""
    return Song.from_vector(np.random.default_rng(seed).random(len(parameters())))


def middle(**changes: Any) -> Song:
    """A song of middle numbers, but for these."""
    song = Song.from_vector(np.full(len(parameters()), 0.5))
    return replace(song, **changes)
