"""Which files the paths of a command line mean."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from genrescope.audio.formats import audio_files
from genrescope.errors import AudioError


@dataclass(frozen=True)
class Found:
    """A path to classify, or, with ``error``, one that cannot be."""

    path: str
    error: AudioError | None = None
    version: str = ""
    """Size and time of the last change when it was found; another file has another."""


def find(paths: Sequence[str]) -> list[Found]:
    """Files as they are named, folders walked in the order of their names, each file once.

    Links to folders are followed, into each folder once. macOS's ``._`` companions are no audio.
    """
    found: dict[tuple[str, str], Found] = {}
    for path in paths:
        status = _status(Path(path))
        is_folder = status is not None and stat.S_ISDIR(status.st_mode)
        named = Found(path, version=_version(status))
        for file in _in_folder(path) if is_folder else [named]:
            folder, name = os.path.split(file.path)
            found.setdefault((os.path.realpath(folder), name), file)
    return list(found.values())


def _in_folder(top: str) -> Iterator[Found]:
    unreadable: list[OSError] = []
    empty = True
    for path in audio_files(Path(top), unreadable=unreadable.append):
        empty = False
        yield _checked(path)
    for error in unreadable:
        empty = False
        yield _unreadable(error)
    if empty:
        reason = "there is no audio file in this folder"
        yield Found(top, AudioError(top, reason, "Name a folder that holds recordings, or a file."))


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None  # whoever opens it will meet the error and name it


def _version(status: os.stat_result | None) -> str:
    return "" if status is None else f"{status.st_size}-{status.st_mtime_ns}"


def _checked(path: Path) -> Found:
    """A pipe or device with an audio file's name would be waited for without end."""
    status = _status(path)
    if status is None or stat.S_ISREG(status.st_mode):
        return Found(str(path), version=_version(status))
    return Found(str(path), AudioError(str(path), "it is not a regular file"))


def _unreadable(error: OSError) -> Found:
    path = str(error.filename)
    reason = f"the folder cannot be read ({error.strerror})"
    denied = isinstance(error, PermissionError)
    remedy = "Check its permissions." if denied else "Check the path and the disk."
    return Found(path, AudioError(path, reason, remedy))
