"""GTZAN (Tzanetakis and Cook 2002): what is known of its 1,000 clips.

The tables under ``files/`` hold facts alone, each with its source named in ``files/README.md``.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from genrescope.data.track import REPEAT, Track

GENRES = (
    "blues",
    "classical",
    "country",
    "disco",
    "hiphop",
    "jazz",
    "metal",
    "pop",
    "reggae",
    "rock",
)
"""The ten genres, in alphabetical order."""


def _table(name: str) -> list[dict[str, str]]:
    text = (files("genrescope.data") / "files" / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def _faults() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for row in _table("gtzan_faults.csv"):
        tracks = row["tracks"].split()
        for track in tracks:
            marks = (
                [REPEAT + other for other in tracks if other != track]
                if row["fault"] == "repeat"
                else [row["fault"]]
            )
            found.setdefault(track, []).extend(marks)
    return {track: tuple(marks) for track, marks in found.items()}


@cache
def tracks() -> tuple[Track, ...]:
    """All 1,000 tracks, without paths: genre, artist and title (Sturm's index), faults."""
    return tuple(
        Track(
            row["track_id"],
            row["genre"],
            artist=row["artist"] or None,
            title=row["title"] or None,
            faults=_faults().get(row["track_id"], ()),
        )
        for row in _table("gtzan_tracks.csv")
    )


@cache
def by_id() -> dict[str, Track]:
    """The tracks by their ID."""
    return {track.track_id: track for track in tracks()}


def is_gtzan(track_ids: Iterable[str]) -> bool:
    """Whether there is at least one ID and every one is a GTZAN ID, such as ``blues.00000``."""
    ids = list(track_ids)
    return bool(ids) and all(track_id in by_id() for track_id in ids)


@cache
def fault_filtered() -> dict[str, str]:
    """Track ID -> ``train`` (443), ``valid`` (197), ``test`` (290) or ``excluded`` (70).

    The lists of Kereliuk, Sturm and Larsen, "Deep learning and music adversaries" (2015): repeats
    and distorted clips are excluded and no named artist is in two parts.
    """
    return {row["track_id"]: row["fault_filtered"] for row in _table("gtzan_tracks.csv")}
