"""Fetch one large file: resumed where it stopped, checked, and moved into place whole."""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import stat
import time
import urllib.error
import urllib.request
from io import FileIO, RawIOBase
from pathlib import Path

from genrescope.errors import DatasetError
from genrescope.files import PARTIAL
from genrescope.progress import Progress, no_progress

_BLOCK = 1 << 18  # bytes
_TIMEOUT_S = 30.0
_LOST = (OSError, http.client.HTTPException)
"""What a connection fails with, TLS and routes included; a disk's errors become DatasetErrors."""


def download(
    url: str,
    target: str | Path,
    *,
    size: int | None = None,
    md5: str | None = None,
    progress: Progress | None = None,
    tries: int = 5,
    pause_s: float = 2.0,
) -> Path:
    """Download a file, resuming what an earlier attempt from the same address left beside it.

    What has come lies in a file with `PARTIAL` at its end; it is no link, and never grows past
    ``size``.

    Args:
        url: where it is: http, https, or file for an archive that is here.
        target: where it shall be; an existing file with the right checksum is taken as it is.
        size: its length in bytes, where known.
        md5: its checksum in hex, where known.
        progress: called after each block with the bytes, and ``download``.
        tries: attempts in a row that may fail without a byte being gained.
        pause_s: wait before the second of them, doubled for each further one.

    Returns:
        ``target``.

    Raises:
        DatasetError: the server refuses, the connection stays away, the disk is full, or what
            came is not the file that was asked for.
    """
    target = Path(target)
    if target.exists() and _is_whole(target, size, md5):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(error, target.parent) from error
    part = part_of(target, url)
    failures = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            _receive(url, part, size, progress or no_progress)
            break
        except _LOST as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
                if error.code < 500 and error.code not in (408, 429):
                    raise DatasetError(
                        f"{url}: the server answers {error.code} ({error.reason}). "
                        "Give another address with --url."
                    ) from error
            gained = part.exists() and part.stat().st_size > before
            failures = 0 if gained else failures + 1
            if failures >= tries:
                came = part.exists() and part.stat().st_size > 0
                again = "What came is kept; start again to go on from there."
                raise DatasetError(
                    f"{url}: the connection fails ({error}). "
                    f"{again if came else 'Start again, or give another address with --url.'}"
                ) from error
            time.sleep(0.0 if gained else pause_s * 2 ** (failures - 1))
    if not _is_whole(part, size, md5):
        raise _wrong_file(url, part)
    part.replace(target)
    return target


def part_of(target: Path, url: str) -> Path:
    """Where what came of ``url`` lies until it is whole: no other program has a file so named."""
    address = hashlib.sha256(url.encode()).hexdigest()[:16]
    return target.with_name(f"{target.name}.{address}{PARTIAL}")


def _wrong_file(url: str, part: Path) -> DatasetError:
    part.unlink()
    return DatasetError(
        f"{url}: what came is not the expected file (wrong size or checksum); it was deleted. "
        "Start again, or give another address with --url."
    )


def _receive(url: str, part: Path, size: int | None, progress: Progress) -> None:
    """Append the rest of the file to ``part``; returns when the server has sent all of it."""
    done = part.stat().st_size if part.exists() else 0
    if size is not None and done >= size:
        return
    headers = {"User-Agent": "genrescope"} | ({"Range": f"bytes={done}-"} if done else {})
    try:
        answer = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=_TIMEOUT_S
        )
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        error.close()  # nothing is left to send; the checksum decides
        return
    except ValueError as error:
        raise DatasetError(f"{url}: not an address ({error}).") from error
    with answer:
        resumed = answer.status == http.HTTPStatus.PARTIAL_CONTENT
        if not resumed:
            done = 0
        length = answer.headers.get("Content-Length", "")
        total = done + int(length) if length.isdecimal() else size
        with _opened(part, append=resumed) as file:
            while block := answer.read(_BLOCK):
                if size is not None and done + len(block) > size:
                    raise _wrong_file(url, part)
                _write(file, block, part, total and total - done)
                done += len(block)
                progress(done, total, "download")
    if total is not None and done < total:
        raise ConnectionError(f"it ended after {done:,} of {total:,} bytes")


def _opened(part: Path, *, append: bool) -> FileIO:
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else 0)
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(part, flags, 0o666)
    except OSError as error:
        raise disk_error(error, part) from error
    file = FileIO(descriptor, "ab" if append else "wb")
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:  # what it holds is not ours alone
        file.close()
        raise DatasetError(f"{part}: is no file of its own; move it away and start again.")
    if not append:
        file.truncate()
    return file


def _write(file: RawIOBase, block: bytes, path: Path, left: int | None) -> None:
    """Write a block whole, past any buffer, which would hold back what the disk has no room for."""
    view = memoryview(block)
    try:
        while view:
            view = view[file.write(view) or 0 :]
    except OSError as error:
        raise disk_error(error, path, left) from error


def disk_error(error: OSError, path: Path, left: int | None = None) -> DatasetError:
    """What to tell a user when writing ``path`` failed."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        need = f" {left:,} more bytes are needed." if left else ""
        return DatasetError(
            f"{path}: the disk is full.{need} Free some space and start again; what is there is "
            "kept."
        )
    return DatasetError(f"{path}: cannot be written ({error.strerror or error}).")


def _is_whole(path: Path, size: int | None, md5: str | None) -> bool:
    if size is not None and path.stat().st_size != size:
        return False
    if md5 is None:
        return True
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return digest.hexdigest() == md5
