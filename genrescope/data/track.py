"""One labelled recording."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

REPEAT = "repeat:"
"""Prefix of the fault that names another track with the very same audio."""
UNDECODABLE = "undecodable"
"""The fault of a clip that does not decode in one release of its dataset or another."""

SILENCE = "digital silence"
"""Why a clip whose every sample is zero is left out."""


@dataclass(frozen=True)
class Track:
    """A labelled recording and what is known of it.

    Attributes:
        track_id: unique in its dataset, e.g. ``blues.00000``.
        genre: the class.
        artist: None where unknown.
        title: None where unknown.
        path: the audio file, None where it is not here.
        checksum: SHA-256 of the audio file in hex, None where it was not read.
        duration: length of the audio in seconds.
        faults: known faults, e.g. ``undecodable`` or ``repeat:jazz.00051``.
        certain: whether the genre comes from a source to trust; a doubtful one may be learned from
            with less weight, and it is not evaluated on under the protocol ``world``.
    """

    track_id: str
    genre: str
    artist: str | None = None
    title: str | None = None
    path: Path | None = None
    checksum: str | None = None
    duration: float | None = None
    faults: tuple[str, ...] = ()
    certain: bool = True

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
        failed: those of `absent` that are on disk and should be used: files that do not decode,
            folders that cannot be read, broken links.
    """

    name: str
    tracks: tuple[Track, ...]
    absent: dict[str, str] = field(default_factory=dict)
    failed: frozenset[str] = frozenset()


def fingerprint(tracks: Iterable[Track]) -> str:
    """SHA-256 in hex of which tracks there are, of what genres and artists, in whatever order."""
    facts = sorted((track.track_id, track.genre, track.artist or "") for track in tracks)
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def decoded(track: Track, path: Path, *, duration: float, flags: Sequence[str] = ()) -> Track:
    """A track whose audio has just been decoded to its end, with what that told.

    Args:
        track: as it was known before.
        path: the file that was decoded, read once more for its checksum.
        duration: length of the audio in seconds.
        flags: faults that the decoder met.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    # A table's "undecodable" is of another release of the clip, since this one decodes.
    known = tuple(fault for fault in track.faults if fault != UNDECODABLE)
    new = tuple(flag for flag in flags if flag not in known)
    return replace(track, checksum=checksum, duration=duration, faults=known + new)


def mark_repeats(tracks: Sequence[Track]) -> tuple[Track, ...]:
    """The tracks, those whose files hold the same bytes marked as repeats of each other."""
    same: dict[str, list[str]] = {}
    for track in tracks:
        if track.checksum is not None:
            same.setdefault(track.checksum, []).append(track.track_id)

    def marked(track: Track) -> Track:
        if track.checksum is None:
            return track
        others = [REPEAT + t for t in same[track.checksum] if t != track.track_id]
        new = tuple(fault for fault in others if fault not in track.faults)
        return replace(track, faults=track.faults + new)

    return tuple(marked(track) for track in tracks)
