"""What a model was trained on, of the music that it is now measured on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from genrescope.data.groups import artist_keys, artists_of
from genrescope.data.registry import known_id, known_tracks
from genrescope.data.track import Track


@dataclass(frozen=True)
class Overlap:
    """What training and evaluation share.

    Attributes:
        tracks: IDs of the tracks that were learned.
        repeats: IDs of tracks that hold the same recording as one that was learned.
        artists: names of artists of whom other tracks were learned.
        untold: IDs of more tracks, of whose artists it cannot be told whether any was learned.
    """

    tracks: tuple[str, ...]
    repeats: tuple[str, ...]
    artists: tuple[str, ...]
    untold: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.tracks or self.repeats or self.artists)

    def to_dict(self) -> dict[str, Any]:
        """Lists by name, ready for JSON."""
        return {name: list(values) for name, values in vars(self).items()}


def find_overlap(
    learned: Iterable[str], measured: Sequence[Track], known: Iterable[Track] = ()
) -> Overlap:
    """Compare what a model learned with what it is to be measured on.

    Args:
        learned: IDs of the tracks it was trained on.
        measured: the tracks that it is measured on.
        known: more tracks whose artist and repeats are known; those of known datasets always are.
    """
    facts = known_tracks() | {t.track_id: t for t in known} | {t.track_id: t for t in measured}
    learned = set(map(known_id, learned))
    others = [track for track in measured if known_id(track.track_id) not in learned]
    repeats = tuple(track.track_id for track in others if learned & set(track.repeats))
    learned_artists = {facts[t].artist or "" for t in learned if t in facts} - {""}
    names = learned_artists | {track.artist for track in others if track.artist}
    known_keys = artists_of(names)
    learned_keys = {key for name in learned_artists for key in artist_keys(name, known_keys)}
    artists = {name for name in names if artist_keys(name, known_keys) & learned_keys}
    return Overlap(
        tuple(track.track_id for track in measured if known_id(track.track_id) in learned),
        repeats,
        tuple(dict.fromkeys(track.artist for track in others if track.artist in artists)),
        tuple(
            track.track_id
            for track in others
            if not (learned_artists and track.artist) and track.track_id not in repeats
        ),
    )
