"""Files that are complete or absent, one writer at a time, and names that any terminal can show."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

PARTIAL = ".part"
"""Ending of files that are still being written; one that is left over may be deleted."""


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a new file beside ``path`` to write to, which replaces ``path`` once it is on the disk.

    The file has a name of its own for each writer, and never is an existing file or a link. What
    raises within the block leaves ``path`` as it was and nothing beside it.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
    """
    part = new_beside(path)
    try:
        yield part
        _flush(part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    with suppress(OSError):  # the rename itself; not every system can flush a folder
        _flush(path.parent)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a new folder beside ``path`` to fill, which takes its place at the end.

    Its name is of its own for each writer. What ``path`` was, is gone then; what raises within the
    block leaves it as it was and nothing beside it.

    Raises:
        OSError: the folder above cannot be written to, or the disk is full.
    """
    part = _partial(path)
    part.mkdir()
    try:
        yield part
        if path.exists():
            shutil.rmtree(path)
        part.rename(path)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def new_beside(path: Path) -> Path:
    """Make an empty file beside ``path``, of a name that was not there; it is no link.

    Raises:
        OSError: the folder cannot be written to.
    """
    part = _partial(path)
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0)
    os.close(os.open(part, flags, 0o666))
    return part


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.urandom(4).hex()}{PARTIAL}")


def _flush(path: Path) -> None:
    """Have the system put a file or folder on the disk."""
    if sys.platform == "win32":  # needs a descriptor that may write, and knows no folders
        flags = os.O_RDWR
    else:
        flags = os.O_RDONLY
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Lock an open file or folder until it is closed; False where another process holds it.

    True on Windows, and on a file system without locks.
    """
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True
    return True


@contextmanager
def exclusive_lock(folder: Path) -> Iterator[bool]:
    """Lock a folder for the length of the block; False where another process holds it."""
    if sys.platform == "win32":  # there a folder cannot be opened
        yield True
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield try_lock(descriptor)
    finally:
        os.close(descriptor)


def inert(text: str) -> str:
    """Text that no spreadsheet takes for a formula: one that might be gets an apostrophe."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def printable(text: str) -> str:
    """Text, such as a path, in which bytes that are no UTF-8 stand as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()
