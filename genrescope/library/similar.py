"""Songs that sound like a song: exact search, without hubs, artists and versions in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrescope.errors import LibraryError
from genrescope.library.catalogue import Catalogue
from genrescope.library.songs import Song, by_ids
from genrescope.library.vectors import Vectors

PER_ARTIST = 2
"""Songs of one artist among twenty."""

_CANDIDATES = 2_000


@dataclass(frozen=True)
class Similar:
    """A song that sounds like another.

    Attributes:
        nearness: 1 for the same sound, see `genrescope.library.vectors.joined`.
        reasons: what both have in common, for people.
    """

    song: Song
    nearness: float
    reasons: tuple[str, ...]


def similar_songs(
    catalogue: Catalogue,
    bundle: int,
    vectors: Vectors,
    song: Song,
    *,
    n: int = 20,
    per_artist: int = PER_ARTIST,
) -> list[Similar]:
    """The songs nearest to a song, best first.

    Args:
        bundle: whose judgements are shown, by its number in the catalogue.
        vectors: of the same bundle.
        per_artist: songs of one artist among twenty; the song's own artist counts like others.

    Raises:
        LibraryError: the song has no judgement that a search could begin with.
    """
    place = place_of(catalogue, vectors, song)
    scores = score(vectors, vectors.vector[place])
    chosen = choose(
        vectors,
        scores,
        n,
        most=max(1, per_artist * -(-n // 20)),
        taken_works=vectors.work[[place]],
        left_out=np.array([place]),
    )
    found = by_ids(catalogue, bundle, vectors.id[chosen].tolist())
    return [
        Similar(other, float(vectors.vector[i] @ vectors.vector[place]), _reasons(song, other))
        for i, other in zip(chosen, found, strict=True)
    ]


def place_of(catalogue: Catalogue, vectors: Vectors, song: Song) -> int:
    """The row of a song, or of the first copy of it (LibraryError where it has none)."""
    (first,) = catalogue.db.execute(
        "SELECT min(id) FROM file WHERE audio = ? AND kind = 'track' AND links > 0", (song.audio,)
    ).fetchone()
    place = None if first is None else vectors.place_of(first)
    if place is None:
        raise LibraryError(
            song.path,
            "there is nothing to compare it by",
            "Judge it first; silence, speech, mixes of over half an hour and links are not "
            "compared.",
        )
    return place


def score(vectors: Vectors, target: NDArray[np.float32]) -> NDArray[np.float32]:
    """How near each song is to a direction (d,) of length 1, less how near it is to everything."""
    return 2.0 * (vectors.vector @ target) - vectors.crowd


def choose(
    vectors: Vectors,
    scores: NDArray[np.floating],
    n: int,
    *,
    most: int,
    taken_works: Sequence[int] | NDArray[np.int64] = (),
    left_out: NDArray[np.int64] | None = None,
) -> list[int]:
    """Rows of the best scores: at most ``most`` of an artist, each work once.

    Args:
        scores: (n,); minus infinity is never chosen.
        taken_works: works that are there already.
        left_out: rows that are not chosen.
    """
    scores = np.array(scores, np.float64)
    if left_out is not None:
        scores[left_out] = -np.inf
    works = {int(work) for work in taken_works}
    k = min(_CANDIDATES, len(scores))
    while True:
        best = np.argpartition(-scores, k - 1)[:k] if k else np.zeros(0, np.int64)
        best = best[np.lexsort((vectors.id[best], -scores[best]))]
        chosen, seen, counts = list[int](), set(works), dict[int, int]()
        for i in best.tolist():
            artist, work = int(vectors.performer[i]), int(vectors.work[i])
            if len(chosen) == n or scores[i] == -np.inf:
                return chosen
            if work not in seen and counts.get(artist, 0) < most:
                chosen.append(i)
                seen.add(work)
                counts[artist] = counts.get(artist, 0) + 1
        if len(chosen) == n or k == len(scores):
            return chosen
        k = min(4 * k, len(scores))  # a collection of few artists


def _reasons(song: Song, other: Song) -> tuple[str, ...]:
    reasons = []
    if song.sound == other.sound and song.sound is not None:
        reasons.append(f"{song.sound}, too")
    elif shared := [genre for genre in song.genres if genre in other.genres]:
        reasons.append(f"perhaps {shared[0]}, too")
    bpm, others = song.bpm or song.tempo, other.bpm or other.tempo
    if bpm and others and abs(np.log2(bpm / others)) < 0.08:
        reasons.append(f"{others:.0f} beats a minute")
    if song.key and song.key == other.key:
        reasons.append(f"in {other.key}")
    if song.year and other.year and abs(song.year - other.year) <= 5:
        reasons.append(f"of {other.year}")
    if song.artist and song.performer == other.performer:
        reasons.append("the same artist")
    return tuple(reasons)
