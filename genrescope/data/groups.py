"""Which tracks belong together, so that no split may part them, and how groups are dealt out."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence, Set

import numpy as np
from numpy.typing import NDArray

from genrescope.data.track import Track

Counts = NDArray[np.int64]

_TOGETHER = re.compile(r"\s*(?:,|;|/|&|\+|\band\b|\bwith\b|\bfeat(?:uring|\.)?|\bft\.?\s)\s*", re.I)


def artist_key(name: str) -> str:
    """An artist's name without case, accents, punctuation or a leading "the"."""
    plain = unicodedata.normalize("NFKD", name).casefold().replace("&", " and ")
    words = re.findall(r"\w+", "".join(c for c in plain if not unicodedata.combining(c)))
    return " ".join(words[1:] if len(words) > 1 and words[0] == "the" else words)


def artist_keys(name: str, known: Set[str]) -> set[str]:
    """The keys under which an artist is found: of the name, and of those who collaborate in it.

    Args:
        name: as written.
        known: see `artists_of`; no one else is taken for a part of a collaboration, since "and"
            is in names of bands as well.
    """
    return {artist_key(name)} | (_parts(name) & known)


def artists_of(names: Iterable[str]) -> set[str]:
    """Keys of artists: of all names, and of those who are a part of two names or more."""
    whole = {artist_key(name) for name in names}
    parts = Counter(
        key
        for parts in {artist_key(name): _parts(name) for name in names}.values()
        for key in parts
    )
    return whole | {key for key, n in parts.items() if n > 1}


def _parts(name: str) -> set[str]:
    return {artist_key(part) for part in _TOGETHER.split(name)} - {""}


def artist_groups(tracks: Sequence[Track]) -> list[list[int]]:
    """Indices of tracks in groups that may share an artist or hold the same recording.

    A collaboration joins the groups of those of its artists who have tracks of their own or are
    in another one. Tracks of unknown artist are one group for each genre: any two of them may be
    of one artist.

    Args:
        tracks: the dataset.

    Returns:
        Disjoint groups that cover it, in order of their first track.
    """
    names = artists_of([track.artist for track in tracks if track.artist])

    def keys(track: Track) -> set[str]:
        if not track.artist:
            return {f"unknown: {track.genre}"}
        return artist_keys(track.artist, names)

    return _join(tracks, [keys(track) for track in tracks])


def name_groups(tracks: Sequence[Track]) -> list[list[int]]:
    """Like `artist_groups`, but only the same name, or the same recording, joins two tracks.

    This is what hand-made artist filters promise: collaborations count as artists of their own,
    and nothing is known of unknown artists.
    """
    keys = [{artist_key(track.artist)} if track.artist else set[str]() for track in tracks]
    return _join(tracks, keys)


def recording_groups(tracks: Sequence[Track]) -> list[list[int]]:
    """Like `artist_groups`, but only the same recording joins two tracks."""
    return _join(tracks, [set() for _ in tracks])


def _join(tracks: Sequence[Track], keys: Sequence[set[str]]) -> list[list[int]]:
    parent = list(range(len(tracks)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    place = {track.track_id: i for i, track in enumerate(tracks)}
    first: dict[str, int] = {}
    for i, track in enumerate(tracks):
        for key in sorted(keys[i]):
            parent[root(i)] = root(first.setdefault(key, i))
        for other in track.repeats:
            if other in place:
                parent[root(i)] = root(place[other])
    groups: dict[int, list[int]] = {}
    for i in range(len(tracks)):
        groups.setdefault(root(i), []).append(i)
    return list(groups.values())


def deal(counts: Counts, shares: NDArray[np.float64], rng: np.random.Generator) -> Counts:
    """Deal groups to parts so that each part gets its share of every class.

    Large groups go first, each to the part which it leaves closest to its due (the greedy rule of
    scikit-learn's StratifiedGroupKFold); ties fall at random. A part without a class gets one of
    the last groups that hold it.

    Args:
        counts: (n_groups, n_classes) members.
        shares: (n_parts,) summing to 1.

    Returns:
        int (n_groups,): the part of each group.
    """
    if (counts.sum(axis=1) == 1).all():
        return _deal_singles(counts.argmax(axis=1), shares, rng)
    total = counts.sum(axis=0)
    due = shares[:, None] * total
    dealt = np.zeros_like(due)
    left = (counts > 0).sum(axis=0)  # groups still to deal, by class
    part_of = np.empty(len(counts), dtype=np.int64)
    shuffled = rng.permutation(len(counts))
    for group in shuffled[np.argsort(-counts[shuffled].max(axis=1), kind="stable")]:
        cost = (
            (2 * (dealt - due) + counts[group]) * counts[group] / np.maximum(total, 1) ** 2
        ).sum(axis=1)
        held = counts[group] > 0
        empty = (dealt == 0) & held
        urgent = (empty & (empty.sum(axis=0) >= left)).any(axis=1)
        cost[~urgent] += np.inf if urgent.any() else 0
        part = rng.choice(np.flatnonzero(cost <= cost.min() + 1e-12))
        part_of[group] = part
        dealt[part] += counts[group]
        left -= held
    return part_of


def _deal_singles(
    labels: NDArray[np.int64], shares: NDArray[np.float64], rng: np.random.Generator
) -> Counts:
    """`deal` for groups of one, which need no care: each class is shuffled and cut up."""
    part_of = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        mine = rng.permutation(np.flatnonzero(labels == label))
        # Whole members first, then the remainders by lot, so that no part is always favoured.
        due = shares * len(mine)
        sizes = np.floor(due + 1e-9).astype(np.int64)
        spare = len(mine) - sizes.sum()
        if spare:
            rest = np.maximum(due - sizes, 1e-9)
            sizes[rng.choice(len(shares), spare, replace=False, p=rest / rest.sum())] += 1
        while len(mine) >= len(shares) and sizes.min() == 0:
            sizes[sizes.argmax()] -= 1
            sizes[sizes.argmin()] += 1
        part_of[mine] = np.repeat(np.arange(len(shares)), sizes)
    return part_of
