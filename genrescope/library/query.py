"""Queries in the manner of beets: ``genre:jazz bpm:90..110 -artist:"Chet Baker" trumpet``.

All terms must hold. A term is a word (of artist, album, title, genre or file name), or
``field:value``; ``-`` before it turns it around. Text matches anywhere in the field, without case;
``field:=value`` matches the whole. Numbers take ``90``, ``90..110``, ``90..`` and ``..110``, and
lengths ``3:30``.
"""

from __future__ import annotations

import json
import os
import shlex
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from genrescope.errors import LibraryError
from genrescope.library.catalogue import Catalogue
from genrescope.library.families import Families
from genrescope.library.odd import is_odd, tag_probability
from genrescope.library.songs import Song, songs

TEXTS = {
    "artist": "file.artist",
    "albumartist": "file.album_artist",
    "album": "file.album",
    "title": "file.title",
    "genre": "coalesce(file.genre, judgement.genre)",
    "tagged": "file.genre",
    "sound": "judgement.genre",
    "set": "judgement.genres",
    "flag": "judgement.flags",
    "key": "judgement.key",
    "codec": "file.codec",
    "kind": "file.kind",
    "error": "coalesce(file.error, judgement.error)",
    "path": "path_text(folder.path, file.name)",
}
"""Fields of text: ``genre`` is the tag's, or the sound's where there is no tag; ``tagged`` and
``sound`` are each alone. ``bpm`` likewise."""
NUMBERS = {
    "year": "file.year",
    "bpm": "coalesce(file.bpm, judgement.tempo)",
    "length": "file.duration_s",
    "confidence": "judgement.confidence",
}
SWITCHES = {
    "odd": "is_odd(file.genre, judgement.probabilities, judgement.genres)",
    "judged": "judgement.probabilities IS NOT NULL",
    "failed": "coalesce(file.error, judgement.error) IS NOT NULL",
}


@dataclass
class _Condition:
    parts: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def value(self, value: Any) -> str:
        name = f"q{len(self.values)}"
        self.values[name] = value
        return f":{name}"


def find(
    catalogue: Catalogue, bundle: int | None, families: Families, query: str
) -> Iterator[Song]:
    """Songs that a query names, in the order of their paths.

    Args:
        bundle: whose judgements count, by its number in the catalogue.
        families: what tags mean, for ``odd:true``.

    Raises:
        LibraryError: the query cannot be understood.
    """

    def odd(genre: str | None, probabilities: bytes | None, genres: str | None) -> bool:
        tagged = families.of_tag(genre)
        if not tagged or probabilities is None:
            return False
        p = tag_probability(probabilities, tagged, families.labels)
        return is_odd(p, tagged, json.loads(genres or "[]"))

    catalogue.db.create_function("is_odd", 3, odd, deterministic=True)
    catalogue.db.create_function("folded", 1, _folded, deterministic=True)
    catalogue.db.create_function("path_text", 2, _path_text, deterministic=True)
    where, values = compile_query(query)
    return songs(catalogue, bundle, where, values)


def compile_query(query: str) -> tuple[str, dict[str, Any]]:
    """A query as a condition of SQL and what its names stand for (LibraryError)."""
    try:
        terms = shlex.split(query)
    except ValueError as error:
        raise LibraryError(query, "it has a quotation mark without its partner") from error
    condition = _Condition()
    for term in terms:
        negated = term[:1] in ("-", "^") and len(term) > 1
        sql = _term(term[negated:], condition)
        condition.parts.append(f"NOT coalesce({sql}, 0)" if negated else sql)
    return " AND ".join(condition.parts) or "1", condition.values


def _term(term: str, condition: _Condition) -> str:
    name, colon, value = term.partition(":")
    name = name.casefold()
    if colon and name in TEXTS:
        exact = value.startswith("=")
        wanted = condition.value(_folded(value[exact:]))
        column = f"folded({TEXTS[name]})"
        return f"{column} = {wanted}" if exact else f"instr({column}, {wanted}) > 0"
    if colon and name in NUMBERS:
        return _range(NUMBERS[name], value, term, condition)
    if colon and name in SWITCHES:
        if value not in ("true", "false"):
            raise LibraryError(term, f"{name} is true or false")
        return f"({SWITCHES[name]}) = {int(value == 'true')}"
    if colon and name.isidentifier():
        known = ", ".join((*TEXTS, *NUMBERS, *SWITCHES))
        raise LibraryError(term, f"there is no field {name}", f"There are {known}.")
    phrase = condition.value('"' + term.replace('"', '""') + '"')
    return f"file.id IN (SELECT rowid FROM words WHERE words MATCH {phrase})"


def _range(column: str, value: str, term: str, condition: _Condition) -> str:
    low, dots, high = value.partition("..")
    try:
        if not dots:
            return f"abs({column} - {condition.value(_number(low))}) < 1e-9"
        bounds = [
            f"{column} {sign} {condition.value(_number(bound))}"
            for sign, bound in ((">=", low), ("<=", high))
            if bound
        ]
    except ValueError as error:
        raise LibraryError(
            term, f"{value!r} is no range of numbers", "Write 90, 90..110, 90.. or ..110."
        ) from error
    return f"({' AND '.join([*bounds, f'{column} IS NOT NULL'])})"


def _number(text: str) -> float:
    """A number, or minutes and seconds."""
    minutes, colon, seconds = text.rpartition(":")
    return float(seconds) + (60 * float(minutes) if colon else 0)


def _folded(text: str | None) -> str | None:
    return None if text is None else unicodedata.normalize("NFC", text).casefold()


def _path_text(folder: bytes, name: bytes) -> str:
    return os.path.join(folder, name).decode("utf-8", "replace")  # noqa: PTH118
