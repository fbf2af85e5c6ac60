"""What could be written into tags: a list that a person can read, edit, and have carried out."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genrescope.errors import LibraryError
from genrescope.library.catalogue import Catalogue, bundle_hash
from genrescope.library.families import Families
from genrescope.library.songs import Song, songs, tags_of
from genrescope.library.tags import fields
from genrescope.library.tags.fields import Tag, values_of
from genrescope.model.bundle import Bundle
from genrescope.model.prediction import NO_BEAT, NO_MUSIC, SILENT, UNCERTAIN

FILL, ADD, REPLACE, NONE = "fill", "add", "replace", "none"
MODES = (FILL, ADD, REPLACE, NONE)
"""What to do with the genre: write it where there is none; beside a person's; over a person's;
nothing."""

TRUSTED_RECALL = 0.70
"""Share of a genre's tracks that must be found by artists before it may replace a person's."""

SURE_PRECISION = 0.90
"""Share of right answers, among those that leave one genre, that a genre needs to be written."""

LIKELY = 0.5
"""Probability that a tempo or a key needs to be written."""

_SINGLE = frozenset({".m4a", ".m4b", ".m4r", ".mp4"})
_SUFFIXES = frozenset(
    {
        *(*_SINGLE, ".mp3", ".mp2", ".mpa", ".mpga", ".flac", ".ogg", ".oga", ".opus", ".spx"),
        *(".wav", ".wave", ".aif", ".aiff", ".aifc", ".wma", ".ape", ".mpc", ".wv", ".tta", ".dsf"),
    }
)


@dataclass(frozen=True)
class Change:
    """One field of one file.

    Attributes:
        path: the file.
        field: one of `fields.WRITABLE`.
        before, after: its values; none is no field.
        why: for people.
    """

    path: str
    field: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    why: str = ""


@dataclass
class Plan:
    """Changes, and what was left out.

    Attributes:
        changes: in the order of paths.
        genres: how many files get a genre.
        considered: how many judged songs there were.
        precision: share of right answers of the least sure genre that is written, by the bundle's
            card; None where it does not tell.
        abstained: reasons not to write a genre, each with how many songs it held for.
    """

    changes: list[Change] = field(default_factory=list)
    genres: int = 0
    considered: int = 0
    precision: float | None = None
    abstained: Counter[str] = field(default_factory=Counter)


def make_plan(
    catalogue: Catalogue,
    bundle: Bundle,
    families: Families,
    *,
    mode: str = FILL,
    chosen: Iterable[Song] | None = None,
    hard_links: bool = False,
) -> Plan:
    """Plan tags for songs that are judged.

    Genrescope's own fields are planned for all that is music; tempo and key where a file has none
    and the bundle is sure enough (`LIKELY`); a genre by `abstains` alone, and only one that is
    right often enough (`SURE_PRECISION`) wherever the card tells.

    Args:
        mode: one of `MODES`.
        chosen: songs with this bundle's judgements; all of them by default.
        hard_links: plan for files of several names, too.

    Raises:
        LibraryError: the mode is unknown, or the bundle's card does not say what replacing needs.
    """
    if mode not in MODES:
        raise LibraryError(mode, "there is no such mode", f"There are {', '.join(MODES)}.")
    recalls = recalls_by_artists(bundle)
    if mode == REPLACE and not recalls:
        raise LibraryError(
            bundle.name,
            "its card does not tell the recall of each genre by artists",
            "Use fill, or a bundle that was measured so.",
        )
    number = catalogue.bundle_id(bundle)
    if chosen is None:
        chosen = list(songs(catalogue, number, "judgement.probabilities IS NOT NULL"))
    sure = sure_precisions(bundle)
    plan = Plan(precision=min((p for p in sure.values() if p >= SURE_PRECISION), default=None))
    for song in chosen:
        if not song.is_judged:
            continue
        plan.considered += 1
        reason = _unwritable(song, hard_links=hard_links)
        if reason:
            plan.abstained[reason] += 1
            continue
        tags = tags_of(catalogue, song.id)
        plan.changes += _own_changes(song, tags, bundle)
        plan.changes += _tempo_and_key(song, tags)
        genre = _genre_change(song, tags, mode, families, recalls, sure)
        if isinstance(genre, Change):
            plan.changes.append(genre)
            plan.genres += 1
        elif genre:
            plan.abstained[genre] += 1
    return plan


def abstains(song: Song) -> str:
    """Why the sound of a song is not sure enough to name its genre in a tag; empty if it is."""
    if song.sound is None or SILENT in song.flags:
        return "silent"
    if NO_MUSIC in song.flags:
        return "no music"
    if UNCERTAIN in song.flags:
        return "uncertain"
    if len(song.genres) != 1:
        return "more than one genre in the prediction set"
    return ""


def recalls_by_artists(bundle: Bundle) -> dict[str, float]:
    """Share of each genre's tracks that were found with artists kept apart, by the card."""
    for row in bundle.metrics:
        recalls = row.get("recalls")
        if row["protocol"] == "artists" and isinstance(recalls, dict):
            return {str(genre): float(share) for genre, share in recalls.items()}
    return {}


def sure_precisions(bundle: Bundle) -> dict[str, float]:
    """Of each genre the share of right answers among those that leave no other, by the card.

    The least of what it tells of music by other artists (``artists``) and from elsewhere
    (``world``); empty where it tells of none.
    """
    least: dict[str, float] = {}
    for row in bundle.metrics:
        precisions = row.get("single_precisions")
        if row["protocol"] in ("artists", "world") and isinstance(precisions, dict):
            for genre, share in precisions.items():
                least[str(genre)] = min(least.get(str(genre), 1.0), float(share))
    return least


def _unwritable(song: Song, *, hard_links: bool) -> str:
    if song.links == 0:
        return "a link"
    if song.links > 1 and not hard_links:
        return "a file of several names (hard links)"
    if song.kind != "track":
        return "no single track"
    if Path(song.path).suffix.lower() not in _SUFFIXES:
        return "tags of such a container are not written"
    return ""


def _own_changes(song: Song, tags: Sequence[Tag], bundle: Bundle) -> Iterator[Change]:
    if song.sound is None or {SILENT, NO_MUSIC} & set(song.flags):
        return
    values = {
        fields.OWN_GENRE: song.sound,
        fields.OWN_SET: "; ".join(song.genres),
        fields.OWN_CONFIDENCE: f"{song.confidence:.2f}",
        fields.OWN_MODEL: f"{bundle.name} {bundle_hash(bundle)[:12]}",
    }
    for meaning, value in values.items():
        before = tuple(values_of(tags, meaning))
        after = (value,) if value else ()
        if before != after:
            yield Change(song.path, meaning, before, after, "what Genrescope makes of the sound")


def _tempo_and_key(song: Song, tags: Sequence[Tag]) -> Iterator[Change]:
    """Tempo and key for a file that has none."""
    if {SILENT, NO_MUSIC} & set(song.flags):
        return
    sure = (song.tempo_confidence or 0.0) >= LIKELY and NO_BEAT not in song.flags
    if song.tempo and sure and not values_of(tags, fields.BPM):
        why = f"its tempo ({song.tempo_confidence:.2f}); none was named"
        yield Change(song.path, fields.BPM, (), (str(round(song.tempo)),), why)
    sure = (song.key_confidence or 0.0) >= LIKELY
    if song.key and sure and not values_of(tags, fields.KEY):
        why = f"its key ({song.key_confidence:.2f}); none was named"
        yield Change(song.path, fields.KEY, (), (fields.key_text(song.key),), why)


def _genre_change(
    song: Song,
    tags: Sequence[Tag],
    mode: str,
    families: Families,
    recalls: dict[str, float],
    sure: dict[str, float],
) -> Change | str:
    """The change of the genre, why there is none, or nothing to say."""
    before = tuple(values_of(tags, fields.GENRE))
    has_genre = any(value.strip() for value in before)
    if mode == NONE or (mode == FILL and has_genre):
        return ""
    reason = abstains(song)
    if reason or song.sound is None:
        return reason
    if song.sound in families.of_tag(song.genre):
        return ""
    if sure and sure.get(song.sound, 0.0) < SURE_PRECISION:
        return f"{song.sound} is not sure enough, by the model's card"
    name = families.spelled(song.sound)
    why = f"it sounds like {song.sound} ({song.confidence:.2f}), and like no other genre"
    if not has_genre:
        return Change(song.path, fields.GENRE, before, (name,), f"{why}; no genre was named")
    if mode == ADD:
        if Path(song.path).suffix.lower() in _SINGLE or _has_old_id3(song.path):
            return "the container holds one genre"
        return Change(song.path, fields.GENRE, before, (*before, name), why)
    if recalls.get(song.sound, 0.0) < TRUSTED_RECALL:
        return f"{song.sound} is found too rarely to replace a person's genre"
    return Change(song.path, fields.GENRE, before, (name,), why)


def _has_old_id3(path: str) -> bool:
    """Whether a file begins with ID3v2.3 or older, whose genre is one; no, where it is gone."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(4)
    except OSError:
        return False
    return head[:3] == b"ID3" and head[3:] < b"\x04"


def to_line(change: Change) -> str:
    """A change as a line of JSON."""
    row = {
        "path": change.path,
        "field": change.field,
        "before": list(change.before),
        "after": list(change.after),
        "why": change.why,
    }
    try:
        text = json.dumps(row, ensure_ascii=False)
        text.encode()
    except UnicodeEncodeError:  # bytes of a path that are no text
        return json.dumps(row)
    return text


def read_plan(path: str | os.PathLike[str]) -> list[Change]:
    """The changes of a plan's file, which a person may have edited.

    Raises:
        LibraryError: a line is no change of a field that may be written.
    """
    changes = []
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise LibraryError(os.fspath(path), f"it cannot be read ({error})") from error
    for i, line in enumerate(lines, 1):
        if line.strip():
            try:
                changes.append(_change(json.loads(line)))
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise LibraryError(
                    f"{os.fspath(path)}, line {i}", f"it is no change ({error})"
                ) from error
    return changes


def _change(row: dict[str, Any]) -> Change:
    before, after = row["before"], row["after"]
    if not isinstance(row["path"], str) or row["field"] not in fields.WRITABLE:
        raise ValueError(f"fields are {', '.join(fields.WRITABLE)}")
    for values in (before, after):
        if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
            raise ValueError("before and after are lists of texts")
    if any(not value.strip() or "\x00" in value for value in after):
        raise ValueError("an empty text")
    if not after and row["field"] == fields.GENRE:
        raise ValueError("a genre is never removed")
    return Change(row["path"], row["field"], tuple(before), tuple(after), str(row.get("why", "")))
