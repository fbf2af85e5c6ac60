"""Tables of facts about tracks, as CSV: artist, title, how certain the genre is."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from genrescope.data.track import Track
from genrescope.errors import DatasetError

TABLES = "*tracks.csv"
"""Names of the tables that are looked for beside an ``.npz`` store."""
_CERTAIN = {"": True, "yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


@dataclass(frozen=True)
class Facts:
    """A row of a table.

    Attributes:
        track: the ID as it is written there.
        where: file and line, for messages.
        artist: None where unknown.
        title: None where unknown.
        certain: whether the genre is certain; True where the table does not say.
    """

    track: str
    where: str
    artist: str | None
    title: str | None
    certain: bool

    def of(self, track: Track) -> Track:
        """The track with these facts."""
        return replace(track, artist=self.artist, title=self.title, certain=self.certain)


def read_table(path: Path) -> Iterator[Facts]:
    """The rows of a table in UTF-8 with the columns ``track`` and ``artist``.

    The columns ``title`` and ``certain`` (``yes`` or ``no``) are read where they are there, others
    are left alone.

    Raises:
        DatasetError: it cannot be read, lacks a column, or holds another word for certain.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if not {"track", "artist"} <= set(rows.fieldnames or ()):
                raise DatasetError(f"{path}: its first line must name track and artist.")
            for row in rows:
                where = f"{path}, line {rows.line_num}"
                certain = (row.get("certain") or "").strip().lower()
                if certain not in _CERTAIN:
                    raise DatasetError(f"{where}: certain is {certain!r}; write yes or no.")
                yield Facts(
                    row["track"] or "",
                    where,
                    artist=(row["artist"] or "").strip() or None,
                    title=(row.get("title") or "").strip() or None,
                    certain=_CERTAIN[certain],
                )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read as CSV in UTF-8 ({error}).") from error


def facts_beside(store: Path, track_ids: Iterable[str]) -> dict[str, Track]:
    """The facts of a store's tracks from the tables in its folder.

    Tables are the files whose names end in ``tracks.csv``, see `read_table`. Rows of other tracks
    are left alone, and so is the genre, which the store itself holds.

    Args:
        store: the ``.npz`` file.
        track_ids: the tracks that are in it.

    Returns:
        Track ID -> what is known of it, without a genre; tracks that no table names are left out.

    Raises:
        DatasetError: a faulty table, or a track in two rows.
    """
    wanted = set(track_ids)
    found: dict[str, Facts] = {}
    for table in sorted(store.parent.glob(TABLES)):
        for facts in read_table(table):
            if facts.track not in wanted:
                continue
            if facts.track in found:
                first = found[facts.track].where
                raise DatasetError(f"{facts.where}: {facts.track} stands in {first} as well.")
            found[facts.track] = facts
    return {track_id: facts.of(Track(track_id, "")) for track_id, facts in found.items()}
