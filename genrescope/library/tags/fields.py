"""Which fields of tags mean what, in each family of containers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

GENRE, BPM, KEY = "genre", "bpm", "key"
OWN_GENRE = "genrescope_genre"
OWN_SET = "genrescope_set"
OWN_CONFIDENCE = "genrescope_confidence"
OWN_MODEL = "genrescope_model"
OWN = (OWN_GENRE, OWN_SET, OWN_CONFIDENCE, OWN_MODEL)
SHARED = (GENRE, BPM, KEY)
"""Fields that other programs and people write, too."""
WRITABLE = (*SHARED, *OWN)
"""The fields that Genrescope may write, by the names that a plan calls them."""

ID3, VORBIS, MP4, APE, ASF = "id3", "vorbis", "mp4", "ape", "asf"
FAMILIES = (ID3, VORBIS, MP4, APE, ASF)
"""Families of containers whose tags are written; others are only read."""

_ITUNES = "----:com.apple.iTunes:"
_NAMES: dict[str, dict[str, str]] = {
    ID3: {GENRE: "TCON", BPM: "TBPM", KEY: "TKEY"} | {x: f"TXXX:{x.upper()}" for x in OWN},
    VORBIS: {GENRE: "GENRE", BPM: "BPM", KEY: "INITIALKEY"} | {x: x.upper() for x in OWN},
    MP4: {GENRE: "©gen", BPM: "tmpo", KEY: f"{_ITUNES}initialkey"}
    | {x: f"{_ITUNES}{x.upper()}" for x in OWN},
    APE: {GENRE: "Genre", BPM: "BPM", KEY: "INITIALKEY"} | {x: x.upper() for x in OWN},
    ASF: {GENRE: "WM/Genre", BPM: "WM/BeatsPerMinute", KEY: "WM/InitialKey"}
    | {x: x.upper() for x in OWN},
}
"""ID3 by id3.org, MP4 by what iTunes does, ASF by Microsoft's list of attributes; the others by
Picard's table of fields."""

_MEANINGS = {
    "artist": ("tpe1", "artist", "©art", "author"),
    "album_artist": ("tpe2", "albumartist", "album artist", "aart", "wm/albumartist"),
    "album": ("talb", "album", "©alb", "wm/albumtitle"),
    "title": ("tit2", "title", "©nam"),
    "year": ("tdrc", "tyer", "date", "year", "©day", "wm/year"),
    GENRE: ("tcon", "genre", "©gen", "wm/genre"),
    BPM: ("tbpm", "bpm", "tmpo", "wm/beatsperminute"),
    KEY: ("tkey", "initialkey", "key", f"{_ITUNES}initialkey".casefold(), "wm/initialkey"),
} | {name: (f"txxx:{name}", name, f"{_ITUNES}{name}".casefold()) for name in OWN}
_MEANING = {field: meaning for meaning, fields in _MEANINGS.items() for field in fields}


class Tag(NamedTuple):
    """One value of one field, the field named as its container does."""

    field: str
    value: str


@dataclass(frozen=True)
class Facts:
    """What tags say of a recording; None where they do not."""

    artist: str | None = None
    album_artist: str | None = None
    album: str | None = None
    title: str | None = None
    genre: str | None = None
    year: int | None = None
    bpm: float | None = None


def key_text(key: str) -> str:
    """The name of a key, such as ``C♯ minor``, as tags hold it: ``C#m`` (id3.org, TKEY)."""
    tonic, _, mode = key.partition(" ")
    return tonic.replace("♯", "#").replace("♭", "b") + ("m" if mode == "minor" else "")


def field_name(family: str, meaning: str) -> str:
    """What a family of containers calls one of `WRITABLE`."""
    return _NAMES[family][meaning]


def meaning_of(field: str) -> str | None:
    """What a field, named as its container does, is about; None where it is about nothing known."""
    return _MEANING.get(field.casefold())


def values_of(tags: Iterable[Tag], meaning: str) -> list[str]:
    """All values of the fields with a meaning, in order."""
    return [tag.value for tag in tags if meaning_of(tag.field) == meaning]


def facts_of(tags: Iterable[Tag]) -> Facts:
    """What a list's, a query's or a plan's columns hold: the first value that is not blank."""
    first: dict[str, str] = {}
    for tag in tags:
        meaning = meaning_of(tag.field)
        if meaning is not None and tag.value.strip():
            first.setdefault(meaning, tag.value.strip())
    year = re.search(r"\d{4}", first.get("year", ""))
    try:
        bpm = float(first.get(BPM, "").replace(",", "."))
    except ValueError:
        bpm = 0.0
    return Facts(
        artist=first.get("artist"),
        album_artist=first.get("album_artist"),
        album=first.get("album"),
        title=first.get("title"),
        genre=first.get(GENRE),
        year=int(year[0]) if year else None,
        bpm=bpm if 0.0 < bpm < 1_000.0 else None,
    )
