"""Which files of a folder are audio."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from genrescope.audio.decode import AUDIO_SUFFIXES


def audio_files(top: Path, *, unreadable: Callable[[OSError], None]) -> Iterator[Path]:
    """Files with an audio file's ending, folder by folder in the order of their names.

    Links to folders are followed, into each folder once. macOS's ``._`` companions are no audio.

    Args:
        top: the folder.
        unreadable: called with the error of each folder that cannot be read.
    """
    visited: set[tuple[int, int]] = set()
    _is_new(top, visited)
    for folder, subfolders, names in os.walk(top, followlinks=True, onerror=unreadable):
        here = Path(folder)
        subfolders[:] = [name for name in sorted(subfolders) if _is_new(here / name, visited)]
        for name in sorted(names):
            if Path(name).suffix.lower() in AUDIO_SUFFIXES and not name.startswith("._"):
                yield here / name


def _is_new(folder: Path, visited: set[tuple[int, int]]) -> bool:
    """Whether a folder was not met before on this walk: links may lead in circles."""
    try:
        status = folder.stat()
    except OSError:
        return True  # whoever reads it will meet the error and name it
    identity = (status.st_dev, status.st_ino)
    new = identity not in visited
    visited.add(identity)
    return new
