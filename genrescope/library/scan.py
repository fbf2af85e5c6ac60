"""Bring a catalogue up to date with the folders it was made of: what is new, changed, gone.

One folder is one transaction. A scan that is stopped at any moment leaves a catalogue that is
right as far as it came, and the next one reads no file's tags again that did not change since.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genrescope.errors import LibraryError
from genrescope.library.catalogue import Catalogue, touch
from genrescope.library.cue import albums_of, folded
from genrescope.library.songs import ALBUM, LONG, LONG_S, TRACK
from genrescope.library.tags.fields import Facts, facts_of
from genrescope.library.tags.reading import FileTags, genres_of, read_tags
from genrescope.library.walk import Entry, Folder, walk

_COLUMNS = (
    *("folder", "name", "size", "mtime_ns", "inode", "links", "kind", "audio", "duration_s"),
    *("codec", "error", "tags", "artist", "album_artist", "album", "title", "genre", "year", "bpm"),
)
_UPSERT = (
    f"INSERT INTO file ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) "
    "ON CONFLICT (folder, name) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in _COLUMNS[2:])
    + " RETURNING id"
)


@dataclass
class Report:
    """What a scan met.

    Attributes:
        files, folders: how many there are.
        new, changed, gone: how many files were read, read again, and forgotten.
        unreadable: folders and files with the reason.
        seconds: how long it took.
    """

    files: int = 0
    folders: int = 0
    new: int = 0
    changed: int = 0
    gone: int = 0
    unreadable: list[str] = field(default_factory=list)
    seconds: float = 0.0


def scan(
    catalogue: Catalogue,
    roots: Sequence[str | os.PathLike[str]] = (),
    *,
    forget_empty: bool = False,
    progress: Callable[[Report], None] | None = None,
) -> Report:
    """Read what is new or changed below some folders, and forget what is gone.

    Links to folders are followed, into each folder once. Nothing is written outside the catalogue.
    What a folder that cannot be read held is kept.

    Args:
        roots: folders; those of earlier scans where none is named.
        forget_empty: believe a folder that is empty now, though it held files.
        progress: called after each folder.

    Raises:
        LibraryError: a root is absent, or empty though it held files (a disk that is not
            connected looks so), or the catalogue cannot be written.
    """
    began = time.monotonic()
    known = [os.fsdecode(path) for (path,) in catalogue.db.execute("SELECT path FROM root")]
    tops = [Path(os.path.realpath(root)) for root in (roots or known)]
    if not tops:
        raise LibraryError(
            str(catalogue.path), "it knows no folder of music yet", "Name one to scan."
        )
    for top in tops:
        _check_root(catalogue, top, forget_empty=forget_empty)
    report, state = Report(), _State()
    for top in tops:
        _scan_root(catalogue, top, report, state, progress)
    with catalogue.transaction() as db:
        _forget_gone(db, tops, report, state)
        for top in tops:
            db.execute(
                "INSERT INTO root (path, scanned) VALUES (?, ?) "
                "ON CONFLICT (path) DO UPDATE SET scanned = excluded.scanned",
                (os.fsencode(top), time.time()),
            )
    report.seconds = time.monotonic() - began
    return report


def _check_root(catalogue: Catalogue, top: Path, *, forget_empty: bool) -> None:
    if not top.is_dir():
        raise LibraryError(str(top), "there is no such folder", "Check the path and the disk.")
    try:
        with os.scandir(top) as found:
            empty = next(found, None) is None
    except OSError as error:
        raise LibraryError(str(top), f"it cannot be read ({error.strerror})") from error
    if empty and not forget_empty:
        row = catalogue.db.execute(
            f"SELECT count(*) FROM file JOIN folder ON folder.id = folder WHERE {BELOW}",
            below(os.fsencode(top)),
        ).fetchone()
        if row[0]:
            raise LibraryError(
                str(top),
                f"it is empty, but held {row[0]} files",
                "Connect the disk; or, if they are gone for good, add --forget-empty.",
            )


BELOW = "(folder.path = ? OR folder.path > ? AND folder.path < ?)"
"""SQL for folders at or below one; `below` gives its three values."""


def below(top: bytes) -> tuple[bytes, bytes, bytes]:
    """What `BELOW` is asked with: the folder, and the bounds of what begins with it."""
    edge = top.rstrip(os.sep.encode())
    return top, edge + os.sep.encode(), edge + bytes([ord(os.sep) + 1])


@dataclass
class _State:
    """What a scan met so far.

    Attributes:
        visited: devices and inodes of folders: links may lead in circles.
        seen: numbers of folders.
        unread: folders that could not be read.
        missing: folders' numbers and names of files that are not there. They are forgotten last:
            one that was moved lends the hash of its sound to where it is now.
    """

    visited: set[tuple[int, int]] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)
    unread: list[bytes] = field(default_factory=list)
    missing: list[tuple[int, bytes]] = field(default_factory=list)


def _scan_root(
    catalogue: Catalogue,
    top: Path,
    report: Report,
    state: _State,
    progress: Callable[[Report], None] | None,
) -> None:
    for folder in walk(os.fsencode(top), state.visited):
        if folder.error is not None:
            state.unread.append(folder.path)
            report.unreadable.append(f"{os.fsdecode(folder.path)}: {folder.error}")
            with catalogue.transaction() as db:
                _folder_id(db, folder.path, folder.error)
            continue
        report.folders += 1
        report.files += len(folder.entries)
        _update_folder(catalogue, folder, report, state)
        if progress is not None:
            progress(report)


def _forget_gone(db: sqlite3.Connection, tops: list[Path], report: Report, state: _State) -> None:
    missing, folders = state.missing, list[int]()
    for top in tops:
        for folder, path in db.execute(
            f"SELECT id, path FROM folder WHERE {BELOW}", below(os.fsencode(top))
        ).fetchall():
            unread = any(path == u or path.startswith(u + os.sep.encode()) for u in state.unread)
            if folder in state.seen or unread:
                continue
            names = db.execute("SELECT name FROM file WHERE folder = ?", (folder,)).fetchall()
            missing += [(folder, name) for (name,) in names]
            folders.append(folder)
    for folder, name in missing:
        key = (folder, name)
        db.execute(
            "DELETE FROM words WHERE rowid = (SELECT id FROM file WHERE folder = ? AND name = ?)",
            key,
        )
        report.gone += db.execute("DELETE FROM file WHERE folder = ? AND name = ?", key).rowcount
    db.executemany("DELETE FROM folder WHERE id = ?", [(folder,) for folder in folders])
    if missing:
        touch(db)


def _folder_id(db: sqlite3.Connection, path: bytes, error: str | None = None) -> int:
    row = db.execute(
        "INSERT INTO folder (path, error) VALUES (?, ?) "
        "ON CONFLICT (path) DO UPDATE SET error = excluded.error RETURNING id",
        (path, error),
    ).fetchone()
    return int(row[0])


def _update_folder(catalogue: Catalogue, folder: Folder, report: Report, state: _State) -> None:
    """Read what changed in one folder."""
    db = catalogue.db
    row = db.execute("SELECT id, error FROM folder WHERE path = ?", (folder.path,)).fetchone()
    known: dict[bytes, _Known] = {}
    if row is not None:
        state.seen.add(row[0])
        known = {
            name: _Known(tuple(version), kind, error)
            for name, kind, error, *version in db.execute(
                "SELECT name, kind, error, size, mtime_ns, inode FROM file WHERE folder = ?",
                row[:1],
            )
        }
        gone = known.keys() - {entry.name for entry in folder.entries}
        state.missing += [(row[0], name) for name in sorted(gone)]
    albums = frozenset[bytes]().union(*(albums_of(Path(os.fsdecode(s))) for s in folder.sheets))
    inside = {e.name for e in folder.entries if albums and folded(e.name) in albums}
    todo = [e for e in folder.entries if _differs(known.get(e.name), e, e.name in inside)]
    if not todo and not (row is not None and row[1]):
        return
    read = {e: _read(folder.path, e, e.name in inside) for e in todo}
    news = {e: values for e, values in read.items() if not _says(known.get(e.name), e, values)}
    with catalogue.transaction():
        number = _folder_id(db, folder.path)
        state.seen.add(number)
        for entry, values in news.items():
            _store(db, number, entry, values)
            report.new += entry.name not in known
            report.changed += entry.name in known
            if values["error"]:
                report.unreadable.append(values["error"])
        if news:
            touch(db)


@dataclass(frozen=True)
class _Known:
    """What the catalogue holds of a file: its size, time and inode, its class, its error."""

    version: tuple[int, ...]
    kind: str
    error: str | None


def _differs(known: _Known | None, entry: Entry, in_sheet: bool) -> bool:
    """Whether a file must be read. One that could not be read is tried every time."""
    if known is None or known.error is not None:
        return True
    return known.version != entry.version or (known.kind == ALBUM) != in_sheet


def _says(known: _Known | None, entry: Entry, values: dict[str, Any]) -> bool:
    """Whether the catalogue says already what came of reading a file that had an error."""
    return known is not None and known == _Known(entry.version, values["kind"], values["error"])


def _read(folder: bytes, entry: Entry, in_sheet: bool) -> dict[str, Any]:
    """The columns that a file's tags fill."""
    path = os.path.join(folder, entry.name)  # noqa: PTH118
    read, error = FileTags(), None
    try:
        read = read_tags(path)
        now = os.stat(path)  # noqa: PTH116
        if (now.st_size, now.st_mtime_ns) != entry.version[:2]:
            error = f"{os.fsdecode(path)}: it changed while it was read. Scan again."
    except LibraryError as failure:
        error = str(failure)
    except OSError as failure:
        error = f"{os.fsdecode(path)}: it cannot be read ({failure.strerror})."
    facts = facts_of(read.tags)
    long = read.duration_s is not None and read.duration_s > LONG_S
    return {
        "kind": ALBUM if in_sheet else LONG if long else TRACK,
        "duration_s": read.duration_s,
        "codec": read.codec,
        "error": None if error is None else error.encode("utf-8", "backslashreplace").decode(),
        "tags": json.dumps(read.tags, ensure_ascii=True),
        "genre": _text("; ".join(genres_of(read.tags)) or None),
        **{
            name: _text(getattr(facts, name))
            for name in Facts.__dataclass_fields__
            if name != "genre"
        },
    }


def _text(value: object) -> object:
    """Text that SQLite can hold: what is no Unicode is spelt out, what can be composed is."""
    if not isinstance(value, str):
        return value
    return unicodedata.normalize("NFC", value.encode("utf-8", "backslashreplace").decode())


def _store(db: sqlite3.Connection, folder: int, entry: Entry, values: dict[str, Any]) -> None:
    """Write a file's row. A file that was moved or linked keeps the hash of its sound."""
    size, mtime_ns, inode = entry.version
    same = db.execute(
        "SELECT audio FROM file WHERE inode = ? AND size = ? AND mtime_ns = ? "
        "AND audio IS NOT NULL LIMIT 1",
        (inode, size, mtime_ns),
    ).fetchone()
    values |= {
        "folder": folder,
        "name": entry.name,
        "size": size,
        "mtime_ns": mtime_ns,
        "inode": inode,
        "links": 0 if entry.is_link else entry.status.st_nlink,
        "audio": None if same is None else same[0],
    }
    (number,) = db.execute(_UPSERT, [values[column] for column in _COLUMNS]).fetchone()
    names = [values[key] for key in ("artist", "album_artist", "album", "title", "genre")]
    words = " ".join([*filter(None, names), entry.name.decode("utf-8", "replace")])
    db.execute("DELETE FROM words WHERE rowid = ?", (number,))
    db.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (number, words))


def refresh(db: sqlite3.Connection, path: Path, *, keep_audio: bool = False) -> None:
    """Read one known file again, within a transaction; an unknown one stays unknown.

    Args:
        keep_audio: its sound is known to be what it was.
    """
    row = db.execute(
        "SELECT folder, audio, file.kind FROM file JOIN folder ON folder.id = folder "
        "WHERE folder.path = ? AND name = ?",
        (os.fsencode(path.parent), os.fsencode(path.name)),
    ).fetchone()
    if row is None:
        return
    entry = Entry(os.fsencode(path.name), path.stat(), path.is_symlink())
    _store(db, row[0], entry, _read(os.fsencode(path.parent), entry, row[2] == ALBUM))
    if keep_audio:
        db.execute(
            "UPDATE file SET audio = ? WHERE folder = ? AND name = ?", (row[1], row[0], entry.name)
        )
    touch(db)
