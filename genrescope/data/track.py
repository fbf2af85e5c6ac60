"""One labelled recording."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

REPEAT = "repeat:"
"""Prefix of the fault that names another track with the very same audio."""


@dataclass(frozen=True)
class Track:
    """A labelled recording and what is known of it.

    Attributes:
        track_id: unique in its dataset, e.g. ``blues.00000``.
        genre: the class.
        artist: None where unknown.
        title: None where unknown.
        path: the audio file, None where it is not here.
        checksum: SHA-256 of the audio file in hex.
        duration: length of the audio in seconds.
        faults: known faults, e.g. ``undecodable`` or ``repeat:jazz.00051``.
    """

    track_id: str
    genre: str
    artist: str | None = None
    title: str | None = None
    path: Path | None = None
    checksum: str | None = None
    duration: float | None = None
    faults: tuple[str, ...] = ()

    @property
    def repeats(self) -> tuple[str, ...]:
        """IDs of the tracks which hold the same audio."""
        return tuple(f.removeprefix(REPEAT) for f in self.faults if f.startswith(REPEAT))


@dataclass(frozen=True)
class Dataset:
    """Labelled recordings on disk.

    Attributes:
        name: for messages, usually the folder.
        tracks: with their paths, in order of their IDs.
        absent: what is missing or cannot be used: track ID or path -> reason.
    """

    name: str
    tracks: tuple[Track, ...]
    absent: dict[str, str] = field(default_factory=dict)
