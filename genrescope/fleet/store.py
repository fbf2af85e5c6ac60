"""A folder on a disk or in an object store, whose files are complete or absent."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import fsspec

from genrescope.errors import FleetError
from genrescope.files import PARTIAL, atomic_write

# What the file systems of fsspec call the time of the last change.
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "created")


@dataclass(frozen=True)
class Entry:
    """A file of a folder.

    Attributes:
        name: without the folder.
        modified: when it was last changed, s since 1970; 0 where the store does not say.
    """

    name: str
    modified: float


class Folder(Protocol):
    """What a disk and an object store offer alike; can be pickled."""

    @property
    def url(self) -> str:
        """Its place, from whichever process."""

    def entries(self) -> Iterator[Entry]:
        """Files that are complete, in no order; none where there is no such folder."""

    def open(self, name: str) -> BinaryIO:
        """Open a file to read from (FleetError: there is none)."""

    def write(self, name: str, data: bytes) -> None:
        """Write a file, in place of one that may be there."""

    def create(self, name: str, data: bytes) -> None:
        """Write a file unless it is there; of two writers at once, either may win."""


def open_folder(place: str | os.PathLike[str]) -> Folder:
    """A folder by its path or URL, such as ``s3://bucket/prefix``; it need not exist.

    Raises:
        FleetError: what speaks with such a store is not installed.
    """
    url = os.fspath(place)
    if "://" not in url:
        return DiskFolder(str(Path(url).absolute()))
    return ObjectFolder(url)


def read(folder: Folder, name: str) -> bytes:
    """The bytes of a file (FleetError: there is none)."""
    with folder.open(name) as file:
        return file.read()


@dataclass(frozen=True)
class DiskFolder:
    """A folder of a file system, shared or not: a temporary name, a sync, a rename."""

    url: str

    def entries(self) -> Iterator[Entry]:
        with suppress(FileNotFoundError), os.scandir(self.url) as found:
            for item in found:
                if not item.name.endswith(PARTIAL) and item.is_file():
                    yield Entry(item.name, item.stat().st_mtime)

    def open(self, name: str) -> BinaryIO:
        path = Path(self.url, name)
        try:
            return path.open("rb")
        except OSError as error:
            raise FleetError(str(path), f"it cannot be read ({error.strerror})") from error

    def write(self, name: str, data: bytes) -> None:
        path = Path(self.url, name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as part:
                part.write_bytes(data)
        except OSError as error:
            raise FleetError(str(path), f"it cannot be written ({error.strerror})") from error

    def create(self, name: str, data: bytes) -> None:
        if not Path(self.url, name).exists():
            self.write(name, data)

    def remove_leftovers(self, before: float) -> None:
        """Remove what writers that were killed left half done before a time, s since 1970."""
        with suppress(FileNotFoundError), os.scandir(self.url) as found:
            for item in found:
                with suppress(FileNotFoundError):  # another driver tidies up as well
                    if item.name.endswith(PARTIAL) and item.stat().st_mtime < before:
                        Path(item.path).unlink()


@dataclass(frozen=True)
class ObjectFolder:
    """A prefix of an object store by fsspec: what is put there is complete by itself."""

    url: str

    def entries(self) -> Iterator[Entry]:
        system, root = open_store(self.url)
        system.invalidate_cache()  # other machines write there
        try:
            with store_errors():
                found = system.ls(root, detail=True)
        except FileNotFoundError:
            return
        except OSError as error:
            raise FleetError(self.url, f"it cannot be listed ({error})") from error
        for item in found:
            if item["type"] == "file":
                yield Entry(str(item["name"]).rsplit("/", 1)[-1], _modified(item))

    def open(self, name: str) -> BinaryIO:
        system, root = open_store(self.url)
        try:
            with store_errors():
                return io.BytesIO(system.cat_file(f"{root}/{name}"))
        except OSError as error:
            raise FleetError(f"{self.url}/{name}", f"it cannot be read ({error})") from error

    def write(self, name: str, data: bytes) -> None:
        self._put(name, data, "overwrite")

    def create(self, name: str, data: bytes) -> None:
        # What tells two writers apart is the store, by a condition (S3: If-None-Match).
        with suppress(FileExistsError):
            self._put(name, data, "create")

    def _put(self, name: str, data: bytes, mode: str) -> None:
        system, root = open_store(self.url)
        path = f"{root}/{name}"
        try:
            with store_errors():
                system.pipe_file(path, data, mode=mode)
        except FileExistsError:
            raise
        except OSError as error:
            if mode == "create" and self._has(name):
                return  # not every store says so in the same words
            raise FleetError(f"{self.url}/{name}", f"it cannot be written ({error})") from error

    def _has(self, name: str) -> bool:
        with suppress(FleetError):
            return name in {entry.name for entry in self.entries()}
        return False


@contextmanager
def store_errors() -> Iterator[None]:
    """Whatever the library of a store raises comes as OSError: most have no base in common."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise ConnectionError(f"{type(error).__name__}: {error}") from error


def open_store(url: str) -> tuple[Any, str]:
    """The file system of fsspec that a URL means, and the path there.

    Raises:
        FleetError: there is none, or it is not installed.
    """
    try:
        system, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise FleetError(url, f"such a store cannot be read ({error})") from error
    return system, str(path).rstrip("/")


def _modified(item: dict[str, Any]) -> float:
    when = next((item[key] for key in _TIMES if key in item), 0.0)
    if isinstance(when, str):
        when = datetime.fromisoformat(when)
    return when.timestamp() if isinstance(when, datetime) else float(when)
