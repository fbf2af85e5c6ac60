"""Who may write: one process at a time."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl


def locked(descriptor: int) -> bool:
    """Whether nobody else holds an open file or folder; its lock is ours until it is closed.

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
def alone_in(folder: Path) -> Iterator[bool]:
    """Whether nobody else writes to a folder; within the block nobody else may."""
    if sys.platform == "win32":  # there a folder cannot be opened
        yield True
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield locked(descriptor)
    finally:
        os.close(descriptor)
