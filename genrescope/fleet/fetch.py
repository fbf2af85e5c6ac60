"""The bytes of a song, from wherever its URI says, tried again where that may help."""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes, urlsplit

from genrescope.errors import AudioError
from genrescope.fleet.plan import Song
from genrescope.fleet.store import open_store

MOST_BYTES = 2**30
"""The largest song that is read into memory; files on a disk may have any size."""

_PAUSES_S = (1.0, 4.0, 16.0)  # before each further try; a store that is busy says so for seconds
_SILENCE_S = 30.0  # without a byte
_LONGEST_S = 600.0  # for the whole of a song
_BLOCK = 2**20
_WORTH_TRYING = (408, 425, 429, 500, 502, 503, 504)  # of HTTP: the next time may be another

MISSING, DENIED, UNREACHABLE = "missing", "denied", "unreachable"
CHANGED, TOO_LARGE = "changed", "too large"

T = TypeVar("T")


class FetchError(AudioError):
    """A song that cannot be fetched; ``code`` says in a word why."""

    def __init__(self, code: str, name: str, reason: str, remedy: str = "") -> None:
        self.code = code
        super().__init__(name, reason, remedy)


def fetch(song: Song, *, pause: Callable[[float], None] = time.sleep) -> str | bytes:
    """A path on this machine's disks, or the bytes from elsewhere.

    Raises:
        FetchError: there is none, or another than was planned.
        FleetError: such a store cannot be read by this installation.
    """
    scheme = urlsplit(song.uri).scheme if "://" in song.uri else ""
    if scheme in ("", "file"):
        path = song.uri if not scheme else os.fsdecode(unquote_to_bytes(urlsplit(song.uri).path))
        _check_size(song, _size_of(song, path))
        return path
    read = _http if scheme in ("http", "https") else _stored
    data = _tried(lambda: read(song), song, pause)
    _check_size(song, len(data))
    return data


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
    if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
        return FetchError(MISSING, song.id, "there is no such file", "Check the URI.")
    if isinstance(error, PermissionError):
        return FetchError(DENIED, song.id, "it may not be read", "Check its permissions.")
    reason = f"it cannot be reached ({type(error).__name__})"
    return FetchError(UNREACHABLE, song.id, reason, "Try it again later.")


def _http(song: Song) -> bytes:
    deadline = time.monotonic() + _LONGEST_S
    request = urllib.request.Request(song.uri, headers={"User-Agent": "genrescope"})
    data = bytearray()
    with _opened(request) as reply:
        promised = reply.headers.get("Content-Length")
        while block := reply.read(_BLOCK):
            data += block
            if len(data) > MOST_BYTES:
                raise _too_large(song)
            if time.monotonic() > deadline:
                raise TimeoutError(f"more than {_LONGEST_S:.0f} s")
    if promised is not None and promised.isdigit() and len(data) < int(promised):
        raise ConnectionError("the connection ended early")
    return bytes(data)


def _opened(request: urllib.request.Request) -> Any:
    try:
        return urllib.request.urlopen(request, timeout=_SILENCE_S)
    except urllib.error.HTTPError as error:
        error.close()  # it holds the connection
        raise


def _stored(song: Song) -> bytes:
    system, path = open_store(song.uri)
    if song.size is None and (system.info(path).get("size") or 0) > MOST_BYTES:
        raise _too_large(song)
    if song.size is not None and song.size > MOST_BYTES:
        raise _too_large(song)
    data: bytes = system.cat_file(path)
    return data


def _too_large(song: Song) -> FetchError:
    reason = f"it is larger than {MOST_BYTES >> 30} GiB"
    return FetchError(TOO_LARGE, song.id, reason, "Send an excerpt, or classify it by itself.")
