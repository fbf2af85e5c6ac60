"""Songs whose tag and sound disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrescope.library.catalogue import Catalogue
from genrescope.library.families import Families
from genrescope.library.judge import probabilities_of
from genrescope.library.songs import Song, songs
from genrescope.model.bundle import Bundle
from genrescope.model.prediction import NO_MUSIC, SILENT, UNLIKELY


@dataclass(frozen=True)
class Odd:
    """A song whose tag the sound contradicts.

    Attributes:
        song: the song.
        tagged: the genres that its tag means.
        probability: of all of them together, by its sound.
    """

    song: Song
    tagged: tuple[str, ...]
    probability: float


@dataclass(frozen=True)
class Oddities:
    """What `find_odd` found.

    Attributes:
        odd: the most contradicted first.
        outside: songs with a genre that means none of the bundle's; never odd.
        compared: how many songs have both a tag that means something and a judgement.
    """

    odd: list[Odd]
    outside: list[Song]
    compared: int


def find_odd(catalogue: Catalogue, bundle: int, families: Families) -> Oddities:
    """Songs whose tag's genre is outside the prediction set and has less than `UNLIKELY`.

    What is silent or no music is compared with nothing.
    """
    odd: list[Odd] = []
    outside: list[Song] = []
    compared = 0
    judged = "judgement.probabilities IS NOT NULL AND file.genre IS NOT NULL"
    for song in songs(catalogue, bundle, judged):
        if song.probabilities is None or {SILENT, NO_MUSIC} & set(song.flags):
            continue
        tagged = families.of_tag(song.genre)
        if not tagged:
            outside.append(song)
            continue
        compared += 1
        probability = tag_probability(song.probabilities, tagged, families.labels)
        if is_odd(probability, tagged, song.genres):
            odd.append(Odd(song, tuple(sorted(tagged)), probability))
    odd.sort(key=lambda item: item.probability)
    return Oddities(odd, outside, compared)


def is_odd(probability: float, tagged: frozenset[str], genres: Sequence[str]) -> bool:
    """Whether a tag's genres have too little probability and none is in the prediction set."""
    return probability < UNLIKELY and not tagged & set(genres)


def tag_probability(raw: bytes, tagged: frozenset[str], labels: Sequence[str]) -> float:
    """The probability of any of a tag's genres, from a judgement's bytes."""
    probabilities: NDArray[np.float32] = probabilities_of(raw)
    return float(sum(probabilities[labels.index(label)] for label in tagged))


def false_alarms(bundle: Bundle) -> float | None:
    """The share of right tags that would be odd, by the bundle's card.

    The larger of what it tells of music by other artists (``artists``) and from elsewhere
    (``world``); None where it tells neither.
    """
    shares = [
        float(row["odd_share"])
        for row in bundle.metrics
        if row["protocol"] in ("artists", "world") and "odd_share" in row
    ]
    return max(shares, default=None)
