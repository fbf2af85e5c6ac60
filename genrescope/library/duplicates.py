"""The same sound more than once: copies, other encodings, and what may be versions.

Embeddings only propose what is compared; the audio hash or the fingerprint decides. Nothing is
ever deleted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrescope.errors import AudioError
from genrescope.library.catalogue import Catalogue
from genrescope.library.fingerprint import Fingerprints, difference
from genrescope.library.fpcalc import available_fingerprints
from genrescope.library.songs import Song, by_ids, songs
from genrescope.library.vectors import Vectors, work_key
from genrescope.progress import Progress, no_progress

LENGTHS_S = 2.0
"""Lengths of the same sound differ by no more."""

NEAR = 0.60
"""Nearness from which two songs of a length are compared at all. Of 150 recordings in other guises
the farthest was at .71, a tenth of them below .95; of other songs one in seven is nearer."""

COPIES, SOUND, VERSION = "copies", "same sound", "versions?"


@dataclass(frozen=True)
class Group:
    """Songs that are the same in some way.

    Attributes:
        kind: ``copies`` of one audio region; the ``same sound`` by its fingerprint; or
            ``versions?``, which is a suggestion by artist and title alone.
        songs: in the order of their paths.
    """

    kind: str
    songs: tuple[Song, ...]


def find_duplicates(
    catalogue: Catalogue,
    bundle: int,
    vectors: Vectors,
    *,
    versions: bool = False,
    progress: Progress = no_progress,
) -> list[Group]:
    """Groups of songs that are the same: copies first, then the same sound, then versions.

    Args:
        bundle: whose judgements propose what is compared, by its number in the catalogue.
        vectors: of the same bundle.
        versions: suggest songs of one artist and title as well.
        progress: called with the songs that were compared with those of their length, the songs
            in all, and the path of the last.
    """
    copies = _copies(catalogue, bundle)
    same = _same_sound(catalogue, bundle, vectors, progress)
    groups = [Group(COPIES, group) for group in copies]
    groups += [Group(SOUND, group) for group in same]
    if versions:
        known = [{song.id for song in group} for group in (*copies, *same)]
        groups += [
            Group(VERSION, group)
            for group in _versions(catalogue, bundle)
            if not any({song.id for song in group} <= ids for ids in known)
        ]
    return groups


def candidates(vectors: Vectors) -> Iterator[tuple[int, list[int]]]:
    """Each row, shortest first, with those behind it of about its length and near to it."""
    order = np.argsort(vectors.duration_s, kind="stable")
    lengths, rows = vectors.duration_s[order], vectors.vector[order]
    ends = np.searchsorted(lengths, lengths + LENGTHS_S, side="right")
    for i, end in enumerate(ends.tolist()):
        near = list[int]()
        if end > i + 1 and lengths[i] > 0:
            near = order[np.flatnonzero(rows[i + 1 : end] @ rows[i] >= NEAR) + i + 1].tolist()
        yield int(order[i]), near


def _copies(catalogue: Catalogue, bundle: int) -> list[tuple[Song, ...]]:
    where = (
        "file.links > 0 AND file.audio IN "
        "(SELECT audio FROM file WHERE links > 0 GROUP BY audio HAVING count(DISTINCT inode) > 1)"
    )
    groups: dict[bytes, list[Song]] = defaultdict(list)
    for song in songs(catalogue, bundle, where):
        if song.audio is not None:
            groups[song.audio].append(song)
    return [tuple(group) for group in groups.values()]


def _same_sound(
    catalogue: Catalogue,
    bundle: int,
    vectors: Vectors,
    progress: Progress,
) -> list[tuple[Song, ...]]:
    prints: dict[int, NDArray[np.uint32]] = {}
    same: list[tuple[int, int]] = []
    with closing(available_fingerprints()) as fingerprints:
        last = ""

        def printed(place: int) -> NDArray[np.uint32]:
            nonlocal last
            if place not in prints:
                (song,) = by_ids(catalogue, bundle, [int(vectors.id[place])])
                prints[place] = _print(catalogue, song, fingerprints)
                last = song.path
            return prints[place]

        for done, (first, others) in enumerate(candidates(vectors), 1):
            for second in others:
                apart = difference(printed(first), printed(second), hop_s=fingerprints.hop_s)
                if apart < fingerprints.same:
                    same.append((first, second))
            prints.pop(first, None)  # those behind it are not compared with it
            progress(done, len(vectors), last)
    places = sorted({place for pair in same for place in pair})
    songs_of = by_ids(catalogue, bundle, vectors.id[places].tolist())
    song_of = dict(zip(places, songs_of, strict=True))
    return [
        tuple(sorted((song_of[place] for place in group), key=lambda song: song.path))
        for group in _joined(same)
    ]


def _print(catalogue: Catalogue, song: Song, fingerprints: Fingerprints) -> NDArray[np.uint32]:
    """A song's fingerprint, from the catalogue where it was asked for before."""
    row = catalogue.db.execute(
        "SELECT bits FROM fingerprint WHERE audio = ? AND kind = ?",
        (song.audio, fingerprints.kind),
    ).fetchone()
    if row is not None:
        return np.frombuffer(row[0], "<u4").astype(np.uint32)
    try:
        bits = fingerprints.of(song.path)
    except AudioError:  # it was moved, or is broken: like nothing
        return np.zeros(0, np.uint32)
    with catalogue.transaction() as db:
        db.execute(
            "INSERT OR IGNORE INTO fingerprint (audio, kind, bits) VALUES (?, ?, ?)",
            (song.audio, fingerprints.kind, bits.astype("<u4").tobytes()),
        )
    return bits


def _joined(pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Groups of what is connected by pairs."""
    group_of: dict[int, set[int]] = {}
    for first, second in pairs:
        merged = group_of.get(first, {first}) | group_of.get(second, {second})
        for place in merged:
            group_of[place] = merged
    unique = {id(group): group for group in group_of.values()}
    return sorted(sorted(group) for group in unique.values())


def _versions(catalogue: Catalogue, bundle: int) -> list[tuple[Song, ...]]:
    groups: dict[str, list[Song]] = defaultdict(list)
    named = "file.artist IS NOT NULL AND file.title IS NOT NULL AND file.links > 0"
    for song in songs(catalogue, bundle, named):
        key = work_key(song.artist or "", song.title)
        if key is not None:
            groups[key].append(song)
    return [tuple(group) for group in groups.values() if len(group) > 1]
