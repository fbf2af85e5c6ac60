"""Which tracks belong together, so that no split may part them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from genrescope.data.track import Track

_TOGETHER = re.compile(r"\s*(?:,|;|/|&|\+|\band\b|\bwith\b|\bfeat(?:uring|\.)?|\bft\.?\s)\s*", re.I)


def artist_key(name: str) -> str:
    """An artist's name without case, accents, punctuation or a leading "the"."""
    plain = unicodedata.normalize("NFKD", name).casefold().replace("&", " and ")
    words = re.findall(r"\w+", "".join(c for c in plain if not unicodedata.combining(c)))
    return " ".join(words[1:] if len(words) > 1 and words[0] == "the" else words)


def artist_groups(tracks: Sequence[Track]) -> list[list[int]]:
    """Indices of tracks in groups that may share an artist or hold the same recording.

    A collaboration joins the groups of those of its artists who have tracks of their own. Tracks
    of unknown artist are one group for each genre: any two of them may be of one artist.

    Args:
        tracks: the data set.

    Returns:
        Disjoint groups that cover it, in order of their first track.
    """
    names = {artist_key(track.artist) for track in tracks if track.artist}

    def keys(track: Track) -> set[str]:
        if not track.artist:
            return {f"unknown: {track.genre}"}
        parts = {artist_key(part) for part in _TOGETHER.split(track.artist)}
        return {artist_key(track.artist)} | (parts & names)

    return _join(tracks, [keys(track) for track in tracks])


def name_groups(tracks: Sequence[Track]) -> list[list[int]]:
    """Like `artist_groups`, but only the same name, or the same recording, joins two tracks.

    This is what hand-made artist filters promise: collaborations count as artists of their own,
    and nothing is said of unknown artists.
    """
    keys = [{artist_key(track.artist)} if track.artist else set[str]() for track in tracks]
    return _join(tracks, keys)


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
