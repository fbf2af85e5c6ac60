"""Answers in a file, so that a job that was interrupted goes on where it stopped."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from genrescope.cli.walk import Found
from genrescope.errors import GenrescopeError
from genrescope.files import new_beside, printable, try_lock

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Form(Protocol):
    """How records look.

    Attributes:
        header: the line before the first record, if any.
        start: how a file of records begins.
        quotes: whether line breaks within double quotes belong to a record (CSV, RFC 4180).
    """

    header: str | None
    start: str
    quotes: bool

    def read(self, record: str) -> tuple[str, str]:
        """Path and stamp of a record, the stamp empty for a failure; ValueError if it is none."""
        ...


class Journal:
    """A file to which records are added, each whole or not at all.

    Args:
        path: the file; made where it is absent.
        form: how its records look.

    Raises:
        GenrescopeError: it cannot be opened for writing.
    """

    def __init__(self, path: str, form: Form) -> None:
        self._name = path
        self._path = Path(path)
        self._form = form
        self._asked: frozenset[str] = frozenset()
        self._open()

    def take_up(self, found: Sequence[Found], stamps: Sequence[str]) -> list[Found]:
        """What of ``found`` is still to do.

        Answers whose stamp is the same are kept, and so is every record of a file that is not
        asked for now. Answers that are out of date, as those of another model, are kept until
        `finish`, for a newer record of the same file stands after them by then. Failures (they
        are tried again) and a last record that was cut off leave the file, in one step: at no
        time does it hold less than it should.

        Raises:
            GenrescopeError: it holds something else, or cannot be read or written.
        """
        asked = {printable(file.path): stamp for file, stamp in zip(found, stamps, strict=True)}
        self._asked = frozenset(asked)
        kept = {path for path, stamp, _ in self._records() if stamp and asked.get(path) == stamp}
        with self._named():
            if self._size:
                self._keep(lambda: self._still_true(asked, kept))
            elif self._form.header is not None:
                self._append(f"{self._form.header}\n".encode())
        return [file for file in found if printable(file.path) not in kept]

    def finish(self) -> None:
        """Remove every record of a file asked for that a newer one has replaced.

        Raises:
            GenrescopeError: the file cannot be read or written.
        """
        if not self._is_regular:
            return
        newest = {path: i for i, (path, _, _) in enumerate(self._records())}

        def current() -> Iterator[bytes]:
            for i, (path, _, record) in enumerate(self._records()):
                if path not in self._asked or newest[path] == i:
                    yield record

        with self._named():
            self._keep(current)

    def write(self, record: str) -> None:
        """Add one record; where that fails (GenrescopeError) the file stays as it was."""
        with self._named():
            self._append(f"{record}\n".encode("utf-8", "backslashreplace"))

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Finish and close; where the block failed, its own error is the one to tell."""
        try:
            with suppress(*(() if kind is None else (GenrescopeError,))):
                self.finish()
        finally:
            self.close()

    def _open(self) -> None:
        while True:
            with self._named():
                self._file = self._path.open("ab", buffering=0)
                status = os.fstat(self._file.fileno())
                # A pipe or device is only written to.
                self._is_regular = stat.S_ISREG(status.st_mode)
                self._size = status.st_size
            if not self._is_regular:
                return
            # On Windows, what replaces an open file fails by itself.
            if not try_lock(self._file.fileno()):
                self._file.close()
                raise GenrescopeError(
                    f"{self._name}: another run is writing to it; wait for its end, or name "
                    "another file with --out"
                )
            if self._is_there(status):
                return
            self._file.close()  # another run put a new one in its place before the lock

    def _is_there(self, status: os.stat_result) -> bool:
        try:
            return os.path.samestat(status, self._path.stat())
        except OSError:
            return False

    def _records(self) -> Iterator[tuple[str, str, bytes]]:
        """Path, stamp and bytes of each whole record."""
        if not self._is_regular:
            return
        with self._named(), self._path.open("rb") as file:
            start = self._form.start.encode()
            head = file.read(len(start))
            if head != start[: len(head)]:  # a first record may have been cut off, too
                raise self._foreign(1)
            file.seek(0)
            for i, record in enumerate(_whole_records(file, quotes=self._form.quotes)):
                text = record.decode("utf-8", "replace")
                if i == 0 and self._form.header is not None:
                    if text != f"{self._form.header}\n":
                        raise self._foreign(1)
                    continue
                try:
                    path, stamp = self._form.read(text)
                except ValueError:
                    raise self._foreign(i + 1) from None
                yield printable(path), stamp, record

    def _still_true(self, asked: dict[str, str], kept: set[str]) -> Iterator[bytes]:
        left = set(kept)
        for path, stamp, record in self._records():
            if path not in asked:
                # A folder that failed, such as a disk that was not there, is asked for no more.
                if stamp or not Path(path).is_dir():
                    yield record
            elif path not in kept:
                if stamp:  # of another model, or of the file as it was: until the new one is there
                    yield record
            elif path in left and stamp == asked[path]:
                left.remove(path)
                yield record

    def _keep(self, records: Callable[[], Iterator[bytes]]) -> None:
        """Put a file of these records alone in place of the file, unless it is one."""

        def content() -> Iterator[bytes]:
            if self._form.header is not None:
                yield f"{self._form.header}\n".encode()
            yield from records()

        if sum(map(len, content())) != self._size:
            self._replace(content())

    def _foreign(self, number: int) -> GenrescopeError:
        return GenrescopeError(
            f"{self._name}: it holds something else than answers of this form and model (record "
            f"{number}); name another file with --out"
        )

    def _append(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._file.fileno(), view) :]
        except BaseException:
            with suppress(OSError):  # half a record is none
                os.ftruncate(self._file.fileno(), self._size)
            raise
        self._size += len(data)

    def _replace(self, records: Iterator[bytes]) -> None:
        path = self._path.resolve()  # a link stays one
        other = new_beside(path)
        old = self._file
        try:
            with other.open("wb") as file:
                file.writelines(records)
            other.chmod(stat.S_IMODE(path.stat().st_mode))
            if sys.platform == "win32":  # there no open file is replaced
                old.close()
            else:
                # Locked before it takes the place of the old one, whose lock is held until then.
                self._file = other.open("ab", buffering=0)
                try_lock(self._file.fileno())
                self._size = other.stat().st_size
            other.replace(path)
        finally:
            other.unlink(missing_ok=True)
            old.close()
        if sys.platform == "win32":
            self._open()

    @contextmanager
    def _named(self) -> Iterator[None]:
        """What the disk refuses, in words that name the file."""
        try:
            yield
        except OSError as error:
            more = ""
            if error.errno in _FULL:
                more = ". What it held is kept; make room, and the same command goes on"
            raise GenrescopeError(f"{self._name}: {error.strerror}{more}") from error


def _whole_records(file: BinaryIO, *, quotes: bool) -> Iterator[bytes]:
    """Records with their ends. What has no end was cut off while it was written."""
    record = b""
    for line in file:
        record += line
        if record.endswith(b"\n") and not (quotes and record.count(b'"') % 2):
            yield record
            record = b""
