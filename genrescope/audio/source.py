"""A recording as seekable bytes, whatever it came as."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from genrescope.errors import AudioError

Source = str | os.PathLike[str] | bytes | BinaryIO


class Input:
    """A binary file as libsndfile and FFmpeg call it back from C.

    An exception must not leave such a callback: libsndfile's binding prints it and goes on.
    It is kept instead, the library sees the end of the file, and `check` raises it afterwards.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.name = name
        self._file = file
        self._failure: BaseException | None = None
        self.size = 0
        try:
            self.size = file.seek(0, os.SEEK_END)
        except Exception as failure:
            self._failure = failure
        self.seek(0)
        self.check()

    def read(self, n: int = -1) -> bytes:
        try:
            data = self._file.read(n)
            if not isinstance(data, bytes):
                raise TypeError("it was not opened in binary mode")
            return data if n < 0 else data[:n]
        except BaseException as failure:
            self._failure = failure
            return b""

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            whence &= 3  # FFmpeg sets flags of its own above these two bits
            if whence == os.SEEK_CUR:
                offset += self._file.tell()
            elif whence == os.SEEK_END:
                offset += self.size
            # A damaged header may point before the beginning: no failure of the file.
            return self._file.seek(offset) if offset >= 0 else -1
        except BaseException as failure:
            self._failure = failure
            return -1

    def tell(self) -> int:
        return self.seek(0, os.SEEK_CUR)

    def peek(self, offset: int, n: int) -> bytes:
        """Up to `n` bytes from `offset`; none beyond the end. The file stays where it stands."""
        if offset >= self.size:
            return b""
        position = self.tell()
        self.seek(offset)
        data = self.read(n)
        self.seek(position)
        return data

    def check(self) -> None:
        """Raise what failed in a callback: an AudioError, or the interrupt itself."""
        if isinstance(self._failure, Exception):
            detail = getattr(self._failure, "strerror", None) or str(self._failure)
            remedy = "Check the disk, or copy it again."
            if isinstance(self._failure, TypeError):
                remedy = "Pass a file that is open in binary mode."
            raise AudioError(self.name, f"it cannot be read ({detail})", remedy) from self._failure
        if self._failure is not None:
            raise self._failure


@contextmanager
def open_input(source: Source, name: str | None) -> Iterator[Input]:
    """Open `source` for reading from its beginning; close what was opened here, nothing else.

    Raises:
        AudioError: it is missing, a folder, not a regular file, not readable, or empty.
        TypeError: `source` is none of the types of `Source`.
    """
    if isinstance(source, str | os.PathLike):
        # A path may hold bytes that are no text; the name is for people and must print.
        name = name or os.fsencode(source).decode("utf-8", "replace")
        with _open_path(Path(source), name) as file:
            yield _filled(Input(file, name))
    elif isinstance(source, bytes | bytearray | memoryview):
        yield _filled(Input(io.BytesIO(source), name or "recording"))
    elif hasattr(source, "read"):
        label = getattr(source, "name", None)
        name = name or (label if isinstance(label, str) and label else "recording")
        yield _filled(Input(_seekable(source, name), name))
    else:
        raise TypeError(f"a path, bytes or a binary file is needed, not {type(source).__name__}")


def _open_path(path: Path, name: str) -> BinaryIO:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise AudioError(name, "it is a folder", "Name a recording inside it.")
        if not stat.S_ISREG(mode):  # a pipe would wait for ever, a device never end
            raise AudioError(name, "it is not a regular file", "Save the recording to a file.")
        return path.open("rb")
    except (OSError, ValueError) as failure:
        _refuse_path(name, failure)


def _refuse_path(name: str, failure: OSError | ValueError) -> NoReturn:
    if isinstance(failure, FileNotFoundError | NotADirectoryError | ValueError):
        reason, remedy = "there is no such file", "Check the path."
    elif isinstance(failure, PermissionError):
        reason, remedy = "it may not be read (permission denied)", "Change its permissions."
    else:
        reason, remedy = f"it cannot be opened ({failure.strerror})", "Check the path and the disk."
    raise AudioError(name, reason, remedy) from failure


def _seekable(file: BinaryIO, name: str) -> BinaryIO:
    """The file itself, or what is left in it where it cannot seek (a socket, a pipe)."""
    try:
        if file.seekable():
            return file
        return io.BytesIO(file.read())
    except (OSError, ValueError, TypeError, AttributeError) as failure:
        raise AudioError(
            name, f"it cannot be read ({failure})", "Pass a file that is open in binary mode."
        ) from failure


def _filled(file: Input) -> Input:
    if file.size == 0:
        raise AudioError(file.name, "it is empty (0 bytes)", "Record, export or copy it again.")
    return file
