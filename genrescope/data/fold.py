"""One round of a split, and the proof that it keeps what its protocol promises.

A member of a fold is a track ID, or under the protocol ``windows`` a window such as
``blues.00000#3``, whose place in its clip is in `Split.starts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from genrescope.data.track import Track
from genrescope.errors import DatasetError

PARTS = ("train", "valid", "test")
Together = Callable[[Sequence[Track]], list[list[int]]]
"""From tracks to the groups of them, by index, that belong together."""


@dataclass(frozen=True)
class Fold:
    """One round: member IDs of each part."""

    train: tuple[str, ...]
    valid: tuple[str, ...]
    test: tuple[str, ...]

    def parts(self) -> dict[str, tuple[str, ...]]:
        """The three parts by name."""
        return {part: getattr(self, part) for part in PARTS}

    def without_valid(self) -> Fold:
        """The same round with its valid part learned as well."""
        return Fold(self.train + self.valid, (), self.test)


def track_of(member: str) -> str:
    """The track ID of a member: itself, or the clip its window is drawn from."""
    head, mark, number = member.rpartition("#")
    return head if mark and number.isdigit() else member


def check_fold(
    fold: Fold,
    known: Mapping[str, Track],
    *,
    together: Together | None,
    may_lack_classes: bool = False,
) -> None:
    """Prove that a round keeps its parts apart.

    Args:
        fold: the round.
        known: the dataset by ID.
        together: the groups of tracks, by index, that may not be parted.
        may_lack_classes: whether its parts may lack a class, tracks of it being absent.

    Raises:
        DatasetError: an unknown track, a member of two parts, a part that lacks a class, or a
            group on two sides.
    """
    side: dict[str, str] = {}
    for part, members in fold.parts().items():
        for member in members:
            if track_of(member) not in known:
                raise DatasetError(f"{member} is in {part} but not in the dataset.")
            if member in side:
                raise DatasetError(f"{member} is in {side[member]} and again in {part}.")
            side[member] = part
    if not may_lack_classes:
        for part, members in fold.parts().items():
            _check_classes(part, members, known, "More tracks (or artists) of it or another seed")
    if together is not None:
        _check_together(side, known, together)


def check_learnable(fold: Fold, tracks: Iterable[Track]) -> None:
    """Prove that a round's train part has a clip of each class, of two or more.

    Raises:
        DatasetError: it has not.
    """
    known = {track.track_id: track for track in tracks}
    genres = sorted({track.genre for track in known.values()})
    if len(genres) < 2:
        here = ", ".join(genres) or "none"
        raise DatasetError(f"a training needs two genres or more; here: {here}.")
    _check_classes("train", fold.train, known, "More of its tracks")


def _check_classes(
    part: str, members: Iterable[str], known: Mapping[str, Track], remedy: str
) -> None:
    classes = {track.genre for track in known.values()}
    missing = classes - {known[track_of(member)].genre for member in members}
    if missing:
        raise DatasetError(f"{part} lacks {', '.join(sorted(missing))}. {remedy} help.")


def _check_together(
    side: Mapping[str, str], known: Mapping[str, Track], together: Together
) -> None:
    tracks = [known[member] for member in side]
    for group in together(tracks):
        parts = {side[tracks[i].track_id]: tracks[i] for i in group}
        for first, second in combinations(sorted(parts, key=PARTS.index), 2):
            a, b = parts[first], parts[second]
            raise DatasetError(
                f"{a.track_id} ({a.artist or 'unknown artist'}) in {first} and {b.track_id} "
                f"({b.artist or 'unknown artist'}) in {second} share an artist or a recording."
            )


def check_starts(starts: Mapping[str, float], window_s: float) -> None:
    """Prove that no two windows of a clip overlap.

    Args:
        starts: member -> start of its window in s.
        window_s: length of every window in s.

    Raises:
        DatasetError: two do.
    """
    clips: dict[str, list[float]] = {}
    for member, start in starts.items():
        clips.setdefault(track_of(member), []).append(start)
    for clip, times in clips.items():
        gaps = np.diff(sorted(times))
        if len(gaps) and gaps.min() < window_s - 1e-6:
            raise DatasetError(f"windows: two windows of {clip} overlap.")
