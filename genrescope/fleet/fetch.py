"""The bytes of a song, from wherever its URI says, tried again where that may help."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast
from urllib.parse import unquote_to_bytes, urlsplit

from genrescope.audio.excerpt import cut_excerpt
from genrescope.audio.source import Input, open_path
from genrescope.errors import AudioError
from genrescope.fleet.plan import Song
from genrescope.fleet.store import open_store, store_errors

MOST_BYTES = 2**30
"""The largest song that is read into memory; files on a disk may have any size."""

_PAUSES_S = (1.0, 4.0, 16.0)  # before each further try; a store that is busy says so for seconds
_SILENCE_S = 30.0  # without a byte
_LONGEST_S = 600.0  # for the whole of a song
_BLOCK = 2**20
_STRETCH = 2**14  # bytes that are read at least
_WORTH_TRYING = (408, 425, 429, 500, 502, 503, 504)  # of HTTP: the next time may be another

MISSING, DENIED, UNREACHABLE = "missing", "denied", "unreachable"
CHANGED, TOO_LARGE = "changed", "too large"

T = TypeVar("T")


class FetchError(AudioError):
    """A song that cannot be fetched; ``code`` says in a word why."""

    def __init__(self, code: str, name: str, reason: str, remedy: str = "") -> None:
        self.code = code
        super().__init__(name, reason, remedy)


@dataclass(frozen=True)
class Fetched:
    """What there is to decode of a song.

    Attributes:
        source: a path on this machine's disks, or the bytes from elsewhere.
        duration_s: of the whole song where ``source`` is an excerpt; else None.
    """

    source: str | bytes
    duration_s: float | None = None


def fetch(
    song: Song, *, excerpt_s: float | None = None, pause: Callable[[float], None] = time.sleep
) -> Fetched:
    """Get a song, or three places of it.

    Args:
        excerpt_s: seconds of the places together, see `genrescope.audio.excerpt`. Where the format
            has no such places, or the song is no longer, it is all of it. Of a server or store
            that knows ranges no more is read than the places and the head take.
        pause: waits for so many seconds.

    Raises:
        FetchError: there is none, or another than was planned.
        FleetError: such a store cannot be read by this installation.
    """
    scheme = urlsplit(song.uri).scheme if "://" in song.uri else ""
    if scheme in ("", "file"):
        path = song.uri if not scheme else os.fsdecode(unquote_to_bytes(urlsplit(song.uri).path))
        _check_size(song, _size_of(song, path))
        if excerpt_s is not None:
            with open_path(Path(path), song.id) as file:
                return _cut(song, file, excerpt_s) or Fetched(path)
        return Fetched(path)
    ranges: _HttpRanges | _StoredRanges
    ranges = _HttpRanges(song) if scheme in ("http", "https") else _StoredRanges(song)
    if excerpt_s is not None:
        places = _RangedFile(lambda a, b: _tried(lambda: ranges.read(a, b), song, pause), song)
        excerpt = _cut(song, cast("BinaryIO", places), excerpt_s)  # by protocol
        if excerpt is not None:
            return excerpt
    data = ranges.whole or _tried(ranges.read_all, song, pause)
    _check_size(song, len(data))
    return Fetched(data)


def _cut(song: Song, file: BinaryIO, seconds: float) -> Fetched | None:
    found = cut_excerpt(Input(file, song.id), seconds)
    return None if found is None else Fetched(found.data, found.duration_s)


def _size_of(song: Song, path: str) -> int | None:
    try:
        return Path(path).stat().st_size
    except OSError as error:
        raise _failure(song, error) from error


def _check_size(song: Song, size: int | None) -> None:
    if song.size is not None and size != song.size:
        reason = f"it has {size} bytes, and had {song.size} when it was planned"
        raise FetchError(CHANGED, song.id, reason, "Make a new plan.")


def _tried(read: Callable[[], T], song: Song, pause: Callable[[float], None]) -> T:
    for pause_s in _PAUSES_S:
        try:
            return read()
        except OSError as error:  # what HTTP, sockets and stores raise alike
            if _failure(song, error).code != UNREACHABLE:
                raise _failure(song, error) from error
        pause(pause_s)
    try:
        return read()
    except OSError as error:
        raise _failure(song, error) from error


def _failure(song: Song, error: OSError) -> FetchError:
    if isinstance(error, urllib.error.HTTPError):
        # The server's words may hold anything; its number is enough.
        reason = f"the server answers {error.code}"
        if error.code in _WORTH_TRYING:
            return FetchError(UNREACHABLE, song.id, reason, "Try it again later.")
        code = DENIED if error.code in (401, 403) else MISSING
        return FetchError(code, song.id, reason, "Check the URI.")
    if isinstance(error, _LedAwayError):
        reason = "its server leads to another that it may not lead to"
        return FetchError(DENIED, song.id, reason, "Name that other address in the manifest.")
    if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
        return FetchError(MISSING, song.id, "there is no such file", "Check the URI.")
    if isinstance(error, PermissionError):
        return FetchError(DENIED, song.id, "it may not be read", "Check its permissions.")
    reason = f"it cannot be reached ({type(error.__cause__ or error).__name__})"
    return FetchError(UNREACHABLE, song.id, reason, "Try it again later.")


class _HttpRanges:
    """A song on a web server; one that knows no ranges sends it whole, and that is kept."""

    def __init__(self, song: Song) -> None:
        self._song = song
        self.whole: bytes | None = None

    def read(self, start: int, end: int) -> tuple[bytes, int]:
        """The bytes from ``start`` to ``end``, or less at the end, and how many there are."""
        if self.whole is None:
            data, content_range = self._get({"Range": f"bytes={start}-{end - 1}"}, end - start)
            if content_range is None:
                self.whole = data
            else:
                span = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", content_range)
                if span is None or (int(span[1]), int(span[2]) + 1) != (start, start + len(data)):
                    raise ConnectionError("another range than was asked for")
                return data, int(span[3])
        return self.whole[start:end], len(self.whole)

    def read_all(self) -> bytes:
        return self._get({}, MOST_BYTES)[0]

    def _get(self, headers: dict[str, str], most: int) -> tuple[bytes, str | None]:
        """Body, and what range it is; a body without a range is the whole song."""
        deadline = time.monotonic() + _LONGEST_S
        headers = {"User-Agent": "genrescope"} | headers
        data = bytearray()
        with _opened(urllib.request.Request(self._song.uri, headers=headers)) as reply:
            promised = reply.headers.get("Content-Length")
            content_range = reply.headers.get("Content-Range") if reply.status == 206 else None
            while block := reply.read(_BLOCK):
                data += block
                if len(data) > (MOST_BYTES if content_range is None else most):
                    raise _too_large(self._song)
                if time.monotonic() > deadline:
                    raise TimeoutError(f"more than {_LONGEST_S:.0f} s")
        if promised is not None and promised.isdigit() and len(data) < int(promised):
            raise ConnectionError("the connection ended early")
        return bytes(data), content_range


class _LedAwayError(OSError):
    """A server that leads to where it may not."""


class _Redirections(urllib.request.HTTPRedirectHandler):
    """Follows a server of the open internet to paths of its own and to others of its kind alone: a
    stranger's server must not have this machine ask its own network."""

    def redirect_request(
        self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        before, after = urlsplit(req.full_url), urlsplit(newurl)
        same = (before.scheme, before.netloc) == (after.scheme, after.netloc)
        if after.scheme not in ("http", "https") or (
            not same and _is_public(before.hostname) and not _is_public(after.hostname)
        ):
            fp.close()  # it holds the connection
            raise _LedAwayError
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _is_public(host: str | None) -> bool:
    """Whether every address of a host is one of the open internet."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM) if host else []
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    return bool(addresses) and all(address.is_global for address in addresses)


def _opened(request: urllib.request.Request) -> Any:
    try:
        opener = urllib.request.build_opener(_Redirections)
        return opener.open(request, timeout=_SILENCE_S)
    except urllib.error.HTTPError as error:
        error.close()  # it holds the connection
        raise


class _StoredRanges:
    """A song in a store of fsspec."""

    whole: bytes | None = None

    def __init__(self, song: Song) -> None:
        self._song = song
        self._system, self._path = open_store(song.uri)
        self._size: int | None = None

    def read(self, start: int, end: int) -> tuple[bytes, int]:
        """The bytes from ``start`` to ``end``, or less at the end, and how many there are."""
        with store_errors():
            if self._size is None:
                self._size = int(self._system.info(self._path).get("size") or 0)
            end = min(end, self._size)
            return self._system.cat_file(self._path, start=start, end=end), self._size

    def read_all(self) -> bytes:
        with store_errors():
            size = self._song.size or self._system.info(self._path).get("size") or 0
        if size > MOST_BYTES:
            raise _too_large(self._song)
        with store_errors():
            data: bytes = self._system.cat_file(self._path)
        return data


class _RangedFile:
    """A file of which only what is looked at is fetched; nothing is fetched twice.

    Args:
        read: gives the bytes between two offsets, and the size of all.
        song: whose size is checked.
    """

    def __init__(self, read: Callable[[int, int], tuple[bytes, int]], song: Song) -> None:
        self._read_range = read
        self._song = song
        self._at = 0
        self._kept: dict[int, bytes] = {}  # small stretches, by number
        self._kept[0], self._size = read(0, _STRETCH)
        _check_size(song, self._size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, n: int) -> bytes:
        start, end = self._at, min(self._at + n, self._size)
        if start >= end:
            return b""
        if end - start > _STRETCH:
            data = self._fetched(start, end)
        else:
            first, last = start // _STRETCH, (end - 1) // _STRETCH
            stretches = b"".join(self._stretch(number) for number in range(first, last + 1))
            data = stretches[start - first * _STRETCH : end - first * _STRETCH]
        self._at += len(data)
        return data

    def _stretch(self, number: int) -> bytes:
        if number not in self._kept:
            start = number * _STRETCH
            self._kept[number] = self._fetched(start, min(start + _STRETCH, self._size))
        return self._kept[number]

    def _fetched(self, start: int, end: int) -> bytes:
        data, size = self._read_range(start, end)
        if size != self._size or len(data) != end - start:
            reason = "it changed while it was read"
            raise FetchError(CHANGED, self._song.id, reason, "Make a new plan.")
        return data


def _too_large(song: Song) -> FetchError:
    reason = f"it is larger than {MOST_BYTES >> 30} GiB"
    return FetchError(TOO_LARGE, song.id, reason, "Send an excerpt, or classify it by itself.")
