"""Carry out planned changes of tags, file by file, so that no moment can harm one.

A file is copied in its own folder, the copy is edited and compared with it, put on the disk, and
only then takes its place in one step. The catalogue's journal notes each step before it is taken:
whatever ends the process, each file is as it was or as it was planned, and `recover` knows which.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from genrescope.errors import LibraryError
from genrescope.files import exclusive_lock
from genrescope.library.catalogue import Catalogue, is_full
from genrescope.library.scan import refresh
from genrescope.library.tags.fields import values_of
from genrescope.library.tags.parts import part_name
from genrescope.library.tags.plan import Change
from genrescope.library.tags.reading import read_tags
from genrescope.library.tags.writing import edit_copy
from genrescope.library.walk import inode_of

APPLY, UNDO = "apply", "undo"


@dataclass
class Report:
    """What came of a plan.

    Attributes:
        run: its number, by which it can be undone; None for a dry run, or where nothing was left
            to do.
        written: files that were, or in a dry run would be, written.
        conflicts: what was left alone, each with its reason.
    """

    run: int | None = None
    written: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)


def apply_changes(
    catalogue: Catalogue,
    changes: Sequence[Change],
    *,
    dry: bool = True,
    hard_links: bool = False,
    keep_time: bool = False,
    undoes: int | None = None,
    progress: Callable[[Report], None] | None = None,
) -> Report:
    """Write planned changes, or say what writing them would do.

    Left alone, and named, are links, files that changed since the scan, fields that no longer hold
    what the plan says they do, and what cannot be written.

    Args:
        dry: write nothing.
        hard_links: write files of several names, too; the other names keep the old tags.
        keep_time: give each file the time of change that it had.
        undoes: the run that these changes undo; such files may have changed since the scan.
        progress: called after each file.

    Raises:
        LibraryError: another run is writing tags, the disk is full, or the catalogue cannot be
            written.
    """
    by_path: dict[str, list[Change]] = {}
    for change in changes:
        by_path.setdefault(change.path, []).append(change)
    report = Report()
    with _alone(catalogue):
        if not dry:
            recover(catalogue)
        for path, of_file in by_path.items():
            try:
                fresh = _checked(
                    catalogue, Path(path), of_file, hard_links=hard_links, undo=undoes is not None
                )
                report.conflicts += fresh.conflicts
                if fresh.changes:
                    if not dry:
                        report.run = report.run or _new_run(catalogue, undoes)
                        _write(catalogue, report.run, Path(path), fresh, keep_time=keep_time)
                    report.written.append(path)
            except LibraryError as error:
                report.conflicts.append(str(error))
            except OSError as error:
                if is_full(error):
                    raise LibraryError(
                        path, "the disk is full", "The file is as it was; make room, and go on."
                    ) from error
                report.conflicts.append(f"{path}: it cannot be written ({error.strerror}).")
            if progress is not None:
                progress(report)
    return report


def undo(catalogue: Catalogue, run: int, *, dry: bool = True) -> Report:
    """Restore the fields that a run wrote, where they still hold what it wrote.

    Arguments and errors are those of `apply_changes`.
    """
    return apply_changes(catalogue, changes_of_undo(catalogue, run), dry=dry, undoes=run)


def changes_of_undo(catalogue: Catalogue, run: int) -> list[Change]:
    """What would take back the finished writes of a run, the last first (LibraryError)."""
    return [
        Change(change.path, change.field, change.after, change.before, f"undo run {run}")
        for change in reversed(changes_of_run(catalogue, run))
    ]


def changes_of_run(catalogue: Catalogue, run: int) -> list[Change]:
    """What a run wrote, in its order.

    Raises:
        LibraryError: there is no such run.
    """
    if catalogue.db.execute("SELECT 1 FROM run WHERE id = ?", (run,)).fetchone() is None:
        raise LibraryError(
            f"run {run}", "there is no such run", "See genrescope library tags runs."
        )
    return [
        Change(os.fsdecode(path), name, tuple(before), tuple(after))
        for path, text in catalogue.db.execute(
            "SELECT path, changes FROM edit WHERE run = ? AND state = 'done' ORDER BY id", (run,)
        ).fetchall()
        for name, before, after in json.loads(text)
    ]


@dataclass(frozen=True)
class Run:
    """A run that wrote tags: its number, when it began (seconds since 1970), which run it took
    back, and how many files it wrote."""

    number: int
    began: float
    undoes: int | None
    files: int


def list_runs(catalogue: Catalogue) -> list[Run]:
    """All runs that wrote tags, in their order."""
    return [
        Run(*row)
        for row in catalogue.db.execute(
            "SELECT run.id, began, undoes, count(edit.id) FROM run "
            "LEFT JOIN edit ON edit.run = run.id AND state = 'done' GROUP BY run.id ORDER BY run.id"
        )
    ]


def recover(catalogue: Catalogue) -> int:
    """Finish what an interrupted run began: copies that did not take their file's place go.

    Returns:
        How many writes were open.
    """
    open_edits = catalogue.db.execute(
        "SELECT id, path, part, state FROM edit WHERE state IN ('copying', 'ready')"
    ).fetchall()
    for number, raw, part, state in open_edits:
        path = Path(os.fsdecode(raw))
        copy = path.with_name(os.fsdecode(part))
        # A copy that was ready and is gone has taken the file's place.
        replaced = state == "ready" and not copy.exists()
        if not _is_gone(copy):
            continue  # `check` names it until the disk may be written again
        with catalogue.transaction(durable=True) as db:
            if replaced:
                db.execute("UPDATE edit SET state = 'done' WHERE id = ?", (number,))
                refresh(db, path, keep_audio=True)
            else:
                _void(db, number, "it was interrupted")
    return len(open_edits)


@contextmanager
def _alone(catalogue: Catalogue) -> Iterator[None]:
    with exclusive_lock(catalogue.path.parent) as locked:
        if not locked:
            raise LibraryError(
                str(catalogue.path), "another run is writing tags", "Wait for its end."
            )
        yield


@dataclass(frozen=True)
class _Fresh:
    """What of a file's changes still holds, as the file is now."""

    status: os.stat_result
    changes: list[Change]
    conflicts: list[str]


def _checked(
    catalogue: Catalogue, path: Path, changes: Sequence[Change], *, hard_links: bool, undo: bool
) -> _Fresh:
    try:
        status = path.lstat()
    except OSError as error:
        raise LibraryError(str(path), f"it cannot be found ({error.strerror})") from error
    if not stat.S_ISREG(status.st_mode):
        raise LibraryError(str(path), "it is a link, or no file")
    if status.st_nlink > 1 and not hard_links:
        raise LibraryError(
            str(path), f"it has {status.st_nlink} names (hard links)", "Add --hard-links."
        )
    if not undo and _version(status) != _scanned(catalogue, path):
        raise LibraryError(str(path), "it changed since the scan", "Scan again, and plan anew.")
    tags = read_tags(path).tags
    holding, conflicts = [], []
    for change in changes:
        now = tuple(values_of(tags, change.field))
        if now == change.after:
            continue
        if now == change.before:
            holding.append(change)
        else:
            conflicts.append(
                f"{path}: {change.field} is {_shown(now)}, not {_shown(change.before)}; left alone."
            )
    return _Fresh(status, holding, conflicts)


def _shown(values: tuple[str, ...]) -> str:
    return " and ".join(map(repr, values)) or "absent"


def _version(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, inode_of(status)


def _scanned(catalogue: Catalogue, path: Path) -> tuple[int, int, int] | None:
    row = catalogue.db.execute(
        "SELECT size, mtime_ns, inode FROM file JOIN folder ON folder.id = folder "
        "WHERE folder.path = ? AND name = ?",
        (os.fsencode(path.parent), os.fsencode(path.name)),
    ).fetchone()
    return None if row is None else (row[0], row[1], row[2])


def _new_run(catalogue: Catalogue, undoes: int | None) -> int:
    with catalogue.transaction(durable=True) as db:
        row = db.execute(
            "INSERT INTO run (kind, undoes, began) VALUES (?, ?, ?) RETURNING id",
            (APPLY if undoes is None else UNDO, undoes, time.time()),
        ).fetchone()
    return int(row[0])


def _write(catalogue: Catalogue, run: int, path: Path, fresh: _Fresh, *, keep_time: bool) -> None:
    """Give a file new tags in one step, each step noted before it is taken."""
    part = part_name()
    copy = path.with_name(part.decode())
    changes = json.dumps([[c.field, c.before, c.after] for c in fresh.changes])
    with catalogue.transaction(durable=True) as db:
        row = db.execute(
            "INSERT INTO edit (run, path, part, state, changes, audio) "
            "VALUES (?, ?, ?, 'copying', ?, x'') RETURNING id",
            (run, os.fsencode(path), part, changes),
        ).fetchone()
    number, ready = int(row[0]), False
    try:
        _copy(path, copy)
        audio = edit_copy(path, copy, {change.field: change.after for change in fresh.changes})
        _keep_facts(path, copy, fresh.status, keep_time=keep_time)
        _flush(copy)
        with catalogue.transaction(durable=True) as db:
            db.execute(
                "UPDATE edit SET state = 'ready', audio = ?, inode = ? WHERE id = ?",
                (audio, inode_of(copy.stat()), number),
            )
        ready = True
        if _version(path.lstat()) != _version(fresh.status):
            raise LibraryError(str(path), "it changed while its tags were written; left alone")
        copy.replace(path)
    except BaseException as error:
        if ready and not copy.exists():
            raise  # interrupted just behind the step: `recover` will see that it was taken
        if _is_gone(copy):
            with suppress(LibraryError), catalogue.transaction(durable=True) as db:
                _void(db, number, str(error) or type(error).__name__)
        raise
    with suppress(OSError):  # not every system can flush a folder
        _flush(path.parent)
    with catalogue.transaction(durable=True) as db:
        db.execute("UPDATE edit SET state = 'done' WHERE id = ?", (number,))
        refresh(db, path, keep_audio=True)


def _is_gone(copy: Path) -> bool:
    """Remove a copy; whether none is there. A disk that may only be read refuses even to look for
    one that is absent."""
    try:
        copy.unlink(missing_ok=True)
    except OSError:
        return not copy.exists()
    return True


def _copy(path: Path, copy: Path) -> None:
    """Bytes alone, into a file that nobody else may read meanwhile."""
    descriptor = os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as target, path.open("rb") as source:
        shutil.copyfileobj(source, target, 1 << 20)


def _keep_facts(path: Path, copy: Path, status: os.stat_result, *, keep_time: bool) -> None:
    """Owner, mode and extended attributes as the file has them; OSError where one cannot be."""
    now = copy.stat()
    if sys.platform != "win32" and (now.st_uid, now.st_gid) != (status.st_uid, status.st_gid):
        os.chown(copy, status.st_uid, status.st_gid)
    shutil.copystat(path, copy)  # mode, times, flags, extended attributes
    lost = _attributes(path) - _attributes(copy)
    if lost:
        raise LibraryError(str(path), f"its attributes {', '.join(lost)} cannot be kept")
    if not keep_time:
        os.utime(copy)


def _attributes(path: Path) -> set[str]:
    """Names of the extended attributes that people and programs give; not the system's own."""
    if not hasattr(os, "listxattr"):
        return set()
    try:
        return {name for name in os.listxattr(path) if name.startswith("user.")}
    except OSError:
        return set()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _void(db: sqlite3.Connection, number: int, reason: str) -> None:
    db.execute(
        "UPDATE edit SET state = 'void', reason = ? WHERE id = ?",
        (reason.encode("utf-8", "backslashreplace").decode(), number),
    )
