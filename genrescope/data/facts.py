"""What tables say of the tracks of a feature store: artist, title, how certain the genre is."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from genrescope.data.track import Track
from genrescope.errors import DatasetError

TABLES = "*tracks.csv"
"""Names of the tables that are looked for beside an ``.npz`` store."""


def facts_beside(store: Path, track_ids: Iterable[str]) -> dict[str, Track]:
    """The facts of a store's tracks from the tables in its folder.

    A table is a CSV file in UTF-8 whose name ends in ``tracks.csv``, with the columns ``track``,
    ``genre`` and ``artist`` and, if wanted, ``title`` and ``certain`` (``yes`` or ``no``). Rows of
    other tracks are left alone.

    Args:
        store: the ``.npz`` file.
        track_ids: the tracks that are in it.

    Returns:
        Track ID -> what is known of it; tracks that no table names are left out.

    Raises:
        DatasetError: a table cannot be read, or says something else than yes or no.
    """
    wanted, found = set(track_ids), dict[str, Track]()
    for table in sorted(store.parent.glob(TABLES)):
        try:
            with table.open(encoding="utf-8-sig", newline="") as file:
                rows = csv.DictReader(file)
                if not {"track", "genre", "artist"} <= set(rows.fieldnames or ()):
                    raise DatasetError(
                        f"{table}: its first line must name track, genre and artist."
                    )
                for row in rows:
                    if row["track"] in wanted:
                        found[row["track"]] = Track(
                            row["track"],
                            row["genre"],
                            artist=(row["artist"] or "").strip() or None,
                            title=(row.get("title") or "").strip() or None,
                            certain=is_certain(
                                row.get("certain"), where=f"{table}, line {rows.line_num}"
                            ),
                        )
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DatasetError(f"{table}: cannot be read as CSV in UTF-8 ({error}).") from error
    return found


def is_certain(cell: str | None, *, where: str) -> bool:
    """Whether a table's cell calls a genre certain; an empty cell, or none, does.

    Raises:
        DatasetError: the cell is something else than yes or no.
    """
    value = (cell or "yes").strip().casefold() or "yes"
    if value not in ("yes", "no"):
        raise DatasetError(f"{where}: certain is {cell!r}; write yes or no.")
    return value == "yes"
