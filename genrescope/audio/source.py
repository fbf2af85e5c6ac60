"""A recording as seekable bytes, whatever it came as."""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from genrescope.errors import AudioError, AudioStoppedError

Source = str | os.PathLike[str] | bytes | BinaryIO
ShouldStop = Callable[[], bool]


class Input:
    """A binary file as libsndfile and FFmpeg call it back from C.

    An exception must not leave such a callback: libsndfile's binding prints it and goes on.
    It is kept instead, the library sees the end of the file, and `check` raises it afterwards.

    Args:
        file: open in binary mode; it can seek.
        name: what errors call the recording.
        should_stop: asked at each read; once it says yes, nothing more is read.
        span: the bytes that are the recording, from and to; by default all.

    Attributes:
        size: bytes.
    """

    def __init__(
        self,
        file: BinaryIO,
        name: str,
        should_stop: ShouldStop | None = None,
        *,
        span: tuple[int, int] | None = None,
    ) -> None:
        self.name = name
        self._file = file
        self._should_stop = should_stop
        self._failure: BaseException | None = None
        self._start, self.size = 0, 0
        try:
            start, end = span or (0, file.seek(0, os.SEEK_END))
            self._start, self.size = start, end - start
        except Exception as failure:
            self._failure = failure
        self.seek(0)
        self.check()

    def part(self, start: int, end: int) -> Input:
        """The bytes from `start` to `end` as a recording of their own."""
        span = (self._start + start, self._start + end)
        return Input(self._file, self.name, self._should_stop, span=span)

    def read(self, n: int = -1) -> bytes:
        try:
            left = self._start + self.size - self._file.tell()
            wanted = max(0, left if n < 0 else min(n, left))
            data = self._read_once(wanted)
            while data and len(data) < wanted:  # a file object may return less than is asked
                more = self._read_once(wanted - len(data))
                if not more:
                    break
                data += more
            return data
        except BaseException as failure:
            self._failure = failure
            return b""

    def _read_once(self, n: int) -> bytes:
        if self._should_stop is not None and self._should_stop():
            raise _stopped(self.name)
        data = self._file.read(n)
        if not isinstance(data, bytes):
            raise TypeError("it was not opened in binary mode")
        return data[:n]

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            whence &= 3  # FFmpeg sets flags of its own above these two bits
            if whence == os.SEEK_CUR:
                offset += self._file.tell() - self._start
            elif whence == os.SEEK_END:
                offset += self.size
            # A damaged header may point before the beginning: no failure of the file.
            return self._file.seek(self._start + offset) - self._start if offset >= 0 else -1
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
        """Raise what failed in a callback: an AudioError, or the interrupt itself.

        Raises:
            AudioStoppedError: `should_stop` says so, now or while bytes were read.
        """
        failure = self._failure
        if failure is None and self._should_stop is not None and self._should_stop():
            failure = self._failure = _stopped(self.name)
        if failure is None:
            return
        if isinstance(failure, AudioError) or not isinstance(failure, Exception):
            raise failure
        detail = getattr(failure, "strerror", None) or str(failure)
        remedy = "Check the disk, or copy it again."
        if isinstance(failure, TypeError):
            remedy = "Pass a file that is open in binary mode."
        raise AudioError(self.name, f"it cannot be read ({detail})", remedy) from failure


def name_of(path: str | os.PathLike[str]) -> str:
    """What errors call a file: a path may hold bytes that are no text, and this has to print."""
    return os.fsencode(path).decode("utf-8", "replace")


def _stopped(name: str) -> AudioStoppedError:
    return AudioStoppedError(name, "decoding it was stopped", "Try a shorter excerpt.")


@contextmanager
def open_input(
    source: Source, name: str | None, should_stop: ShouldStop | None = None
) -> Iterator[Input]:
    """Open `source` for reading from its beginning; close what was opened here, nothing else.

    Raises:
        AudioError: it is missing, a folder, not a regular file, not readable, or empty.
        TypeError: `source` is none of the types of `Source`.
    """
    if isinstance(source, str | os.PathLike):
        name = name or name_of(source)
        with open_path(Path(source), name) as file:
            yield _filled(Input(_seekable(file, name), name, should_stop))
    elif isinstance(source, bytes | bytearray | memoryview):
        yield _filled(Input(io.BytesIO(source), name or "recording", should_stop))
    elif hasattr(source, "read"):
        label = getattr(source, "name", None)
        name = name or (label if isinstance(label, str) and label else "recording")
        yield _filled(Input(_seekable(source, name), name, should_stop))
    else:
        raise TypeError(f"a path, bytes or a binary file is needed, not {type(source).__name__}")


_DESCRIPTOR = re.compile(r"/dev/(stdin|fd/\d+)|/proc/(self|\d+)/fd/\d+")


def open_path(path: Path, name: str) -> BinaryIO:
    """Open a file to read a recording from; ``name`` is what errors call it.

    Raises:
        AudioError: it is missing, a folder, not a regular file, or may not be read.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise AudioError(name, "it is a folder", "Name a recording inside it.")
        # A pipe would wait for ever, a device never end; but a descriptor is named on purpose.
        is_own_pipe = stat.S_ISFIFO(mode) and _DESCRIPTOR.fullmatch(str(path))
        if not (stat.S_ISREG(mode) or is_own_pipe):
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
