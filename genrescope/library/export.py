"""Songs as a table or a list for other programs."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from genrescope.errors import LibraryError
from genrescope.files import atomic_write, inert, printable
from genrescope.library.songs import Song


def export(songs: Iterable[Song], form: str, out: str | os.PathLike[str]) -> int:
    """Write songs to a file, which is complete or absent.

    Args:
        form: one of `FORMS`.
        out: the file; paths in an m3u8 are relative to its folder.

    Returns:
        How many songs it holds.

    Raises:
        LibraryError: the form is unknown, or cannot hold a song.
        OSError: the file cannot be written.
    """
    if form not in FORMS:
        raise LibraryError(form, "there is no such form", f"There are {', '.join(FORMS)}.")
    path = Path(out)
    listed = list(songs)
    with atomic_write(path) as part:
        FORMS[form](listed, part, path)
    return len(listed)


def m3u8(songs: Iterable[Song], folder: Path, comments: Iterable[str] = ()) -> str:
    """A playlist in UTF-8 without a mark: a line of facts, then a path, for each song.

    Args:
        folder: what paths are relative to.
        comments: lines of the playlist's own, without line breaks.

    Raises:
        LibraryError: a path has a line break.
    """
    lines = ["#EXTM3U", *(f"#{comment}" for comment in comments)]
    base = os.path.realpath(folder)
    for song in songs:
        if len(song.path.splitlines()) > 1:
            raise LibraryError(
                song.path, "its path has a line break, which no playlist can hold", "Rename it."
            )
        name = " - ".join(filter(None, (song.artist, song.title))) or Path(song.path).stem
        seconds = -1 if song.duration_s is None else round(song.duration_s)
        lines.append(f"#EXTINF:{seconds},{printable(' '.join(name.split()))}")
        lines.append(_relative(song.path, base))
    return "\n".join(lines) + "\n"


def _relative(path: str, base: str) -> str:
    try:
        relative = os.path.relpath(path, base)
    except ValueError:  # another drive of Windows
        return path
    return f"./{relative}" if relative.startswith("#") else relative  # or it were a comment


def _rows(songs: Iterable[Song]) -> list[dict[str, Any]]:
    return [song.to_dict() | {"path": printable(song.path)} for song in songs]


def _csv(songs: list[Song], part: Path, _: Path) -> None:
    rows = [row | {key: ";".join(row[key]) for key in ("genres", "flags")} for row in _rows(songs)]
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else ["path"])
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {key: inert(cell) if isinstance(cell, str) else cell for key, cell in row.items()}
            )


def _jsonl(songs: list[Song], part: Path, _: Path) -> None:
    with part.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in _rows(songs))


def _parquet(songs: list[Song], part: Path, _: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    kinds = {"year": pyarrow.int64()}
    kinds |= dict.fromkeys(("confidence", "bpm", "tempo", "duration_s"), pyarrow.float64())
    kinds |= dict.fromkeys(("genres", "flags"), pyarrow.list_(pyarrow.string()))
    names = list(Song.to_dict(songs[0])) if songs else ["path"]
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in names])
    table = pyarrow.Table.from_pylist(_rows(songs), schema=schema)
    pyarrow.parquet.write_table(table, part)


def _m3u8(songs: list[Song], part: Path, path: Path) -> None:
    text = m3u8(songs, path.parent)
    part.write_bytes(text.encode("utf-8", "surrogateescape"))


FORMS: dict[str, Callable[[list[Song], Path, Path], None]] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "parquet": _parquet,
    "m3u8": _m3u8,
}
