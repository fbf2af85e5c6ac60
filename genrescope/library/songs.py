"""The songs of a catalogue: files with their tags and with what a bundle says of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from genrescope.library.catalogue import Catalogue
from genrescope.library.tags.fields import Tag

LONG_S = 1_800.0
"""Seconds from which a file is a class of its own: a mix, a show, a whole record."""

TRACK, LONG, ALBUM = "track", "long", "album"
KINDS = (TRACK, LONG, ALBUM)
"""A track; a file of more than `LONG_S`; one that a CUE sheet cuts into tracks."""

SELECT = """
SELECT file.id, folder.path, file.name, file.kind, file.links, file.audio, file.duration_s,
    file.codec, coalesce(file.error, judgement.error), file.artist, file.album_artist, file.album,
    file.title, file.genre, file.year, file.bpm, judgement.genre, judgement.genres,
    judgement.tempo, judgement.tempo_confidence, judgement.key, judgement.key_confidence,
    judgement.confidence, judgement.flags, judgement.probabilities
FROM file JOIN folder ON folder.id = file.folder
LEFT JOIN judgement ON judgement.audio = file.audio AND judgement.bundle = :bundle
"""


@dataclass(frozen=True)
class Song:
    """A file, what its tags say, and what a bundle says; None and empty where nothing does.

    Attributes:
        id: its number in the catalogue, until it is moved.
        path: where it lies.
        kind: one of `KINDS`.
        links: names that the same file has; 0 for a symbolic link.
        audio: hash of its sound.
        error: why it has no tags or no judgement.
        genre: by its tags, several with "; " between them.
        sound: the most probable genre by the bundle.
        genres: the prediction set, best first.
        tempo, key: bpm and name of the key by the bundle, each with its probability.
        probabilities: of the bundle's labels, float32 as bytes.
    """

    id: int
    path: str
    kind: str
    links: int
    audio: bytes | None
    duration_s: float | None
    codec: str | None
    error: str | None
    artist: str | None
    album_artist: str | None
    album: str | None
    title: str | None
    genre: str | None
    year: int | None
    bpm: float | None
    sound: str | None
    genres: tuple[str, ...]
    tempo: float | None
    tempo_confidence: float | None
    key: str | None
    key_confidence: float | None
    confidence: float | None
    flags: tuple[str, ...]
    probabilities: bytes | None

    @property
    def is_judged(self) -> bool:
        return self.probabilities is not None

    @property
    def performer(self) -> str:
        """Whom to count it for: the artist, or who else is named; never empty."""
        return (self.artist or self.album_artist or f"?{self.id}").casefold()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready columns, in the order of an export."""
        return {
            "path": self.path,
            "artist": self.artist,
            "album": self.album,
            "title": self.title,
            "year": self.year,
            "tag_genre": self.genre,
            "genre": self.sound,
            "genres": list(self.genres),
            "confidence": None if self.confidence is None else round(self.confidence, 6),
            "flags": list(self.flags),
            "bpm": self.bpm,
            "tempo": None if self.tempo is None else round(self.tempo, 1),
            "key": self.key,
            "duration_s": None if self.duration_s is None else round(self.duration_s, 3),
            "codec": self.codec,
            "kind": self.kind,
            "error": self.error,
        }


def songs(
    catalogue: Catalogue,
    bundle: int | None,
    where: str = "1",
    values: dict[str, Any] | None = None,
    *,
    order: str = "folder.path, file.name",
) -> Iterator[Song]:
    """Songs in the order of their paths.

    Args:
        bundle: the number of the bundle in the catalogue; None for tags alone.
        where: a condition in SQL, from `genrescope.library.query` or this package.
        values: what the condition's names stand for.
    """
    cursor = catalogue.db.execute(
        f"{SELECT} WHERE {where} ORDER BY {order}", {"bundle": bundle, **(values or {})}
    )
    for row in cursor:
        yield _song(row)


def by_ids(catalogue: Catalogue, bundle: int | None, ids: Sequence[int]) -> list[Song]:
    """Songs with these numbers, in the same order."""
    found = {
        song.id: song
        for number in dict.fromkeys(ids)
        for song in songs(catalogue, bundle, "file.id = :id", {"id": number})
    }
    return [found[number] for number in ids]


def by_path(catalogue: Catalogue, bundle: int | None, path: str) -> Song | None:
    """The song at a path, or None where the catalogue knows none there.

    A folder may be named by a link to it, or be known by one.
    """
    folder, name = os.path.split(os.path.abspath(path))  # noqa: PTH100
    for place in dict.fromkeys((os.path.realpath(folder), folder)):
        values = {"folder": os.fsencode(place), "name": os.fsencode(name)}
        where = "folder.path = :folder AND file.name = :name"
        song = next(songs(catalogue, bundle, where, values), None)
        if song is not None:
            return song
    return None


def tags_of(catalogue: Catalogue, song: int) -> tuple[Tag, ...]:
    """All tags of a file, in its order."""
    row = catalogue.db.execute("SELECT tags FROM file WHERE id = ?", (song,)).fetchone()
    return tuple(Tag(field, value) for field, value in json.loads(row[0]))


def _song(row: Sequence[Any]) -> Song:
    number, folder, name, *facts = row
    *facts, genres, tempo, tempo_p, key, key_p, confidence, flags, probabilities = facts
    path = os.fsdecode(os.path.join(folder, name))  # noqa: PTH118
    sets = (tuple(json.loads(genres or "[]")), tempo, tempo_p, key, key_p, confidence)
    values = (number, path, *facts, *sets, tuple(json.loads(flags or "[]")), probabilities)
    return Song(**dict(zip(_FIELDS, values, strict=True)))


_FIELDS = tuple(field.name for field in fields(Song))
