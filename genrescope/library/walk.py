"""Walk folders of music: which audio files and CUE sheets each holds now."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from genrescope.audio.decode import AUDIO_SUFFIXES

_SUFFIXES = frozenset(suffix.encode() for suffix in AUDIO_SUFFIXES)


@dataclass(frozen=True)
class Entry:
    """An audio file as it is now; for a link what it leads to."""

    name: bytes
    status: os.stat_result
    is_link: bool

    @property
    def version(self) -> tuple[int, int, int]:
        return (self.status.st_size, self.status.st_mtime_ns, inode_of(self.status))


def inode_of(status: os.stat_result) -> int:
    """A file's number on its disk, as SQLite can hold it."""
    return status.st_ino & 0x7FFF_FFFF_FFFF_FFFF


@dataclass(frozen=True)
class Folder:
    """A folder as it is now, or why it cannot be read.

    Attributes:
        entries: its audio files, by name.
        sheets: paths of its CUE sheets.
    """

    path: bytes
    entries: list[Entry] = field(default_factory=list)
    sheets: list[bytes] = field(default_factory=list)
    error: str | None = None


def walk(top: bytes, visited: set[tuple[int, int]]) -> Iterator[Folder]:
    """A folder and all below it, in the order of their names.

    Links to folders are followed. macOS's ``._`` companions are no audio. What vanishes meanwhile
    is left out.

    Args:
        visited: devices and inodes of folders that are not entered again: links may lead in
            circles. It grows.
    """
    pending = [top]
    while pending:
        path = pending.pop()
        folder = Folder(path)
        below: list[bytes] = []
        try:
            status = os.stat(path)  # noqa: PTH116  (bytes: a name may be no text)
            if (status.st_dev, status.st_ino) in visited:
                continue
            visited.add((status.st_dev, status.st_ino))
            with os.scandir(path) as found:
                for item in found:
                    _sort(item, folder, below)
        except FileNotFoundError:
            continue
        except OSError as error:
            yield Folder(path, error=f"the folder cannot be read ({error.strerror})")
            continue
        pending.extend(sorted(below, reverse=True))
        folder.entries.sort(key=lambda entry: entry.name)
        yield folder


def _sort(item: os.DirEntry[bytes], folder: Folder, below: list[bytes]) -> None:
    """Put an entry where it belongs."""
    suffix = os.path.splitext(item.name)[1].lower()  # noqa: PTH122
    try:
        if item.is_dir():
            below.append(item.path)
        elif suffix == b".cue":
            folder.sheets.append(item.path)
        elif suffix in _SUFFIXES and not item.name.startswith(b"._"):
            status = item.stat()
            if stat.S_ISREG(status.st_mode):
                folder.entries.append(Entry(item.name, status, item.is_symlink()))
    except OSError:
        return
