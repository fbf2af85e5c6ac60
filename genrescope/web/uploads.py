"""One uploaded recording, read as a stream into memory and never onto a disk."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from genrescope.web import problems
from genrescope.web.limits import Budget, Limits
from genrescope.web.problems import ProblemError

FORM_OVERHEAD = 64 * 2**10
"""Bytes of boundaries, part headers and other fields granted beside the file."""


@dataclass(frozen=True)
class Upload:
    """A recording as it was sent: ``data``, and ``name`` for use in messages alone."""

    name: str
    data: bytes


@asynccontextmanager
async def receive(request: Request, *, limits: Limits, budget: Budget) -> AsyncIterator[Upload]:
    """The part ``file`` of a multipart request; its bytes count against ``budget`` until the exit.

    Raises:
        ProblemError: 400 or 415 for another form, 408 for a client too slow, 413 past the limit,
            503 when all recordings together are past theirs.
    """
    form = _Form(_boundary(request), limit=limits.upload_bytes)
    _check_declared(request, limits.upload_bytes)
    with budget.lease() as take:
        async for chunk in paced(request, limits):
            take(form.feed(chunk))
        upload = form.finish()
        yield upload


async def paced(request: Request, limits: Limits) -> AsyncIterator[bytes]:
    """The body in chunks, from a client that keeps sending. Raises ProblemError 408 otherwise."""
    chunks = aiter(request.stream())
    clock = asyncio.get_running_loop().time
    end = clock() + limits.upload_s
    while True:
        try:
            async with asyncio.timeout(min(limits.idle_s, max(end - clock(), 0))):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise ProblemError(
                408,
                "too_slow",
                "The upload stopped arriving before it was complete.",
                remedy="Check the connection and try again.",
                headers={"Connection": "close"},
            ) from None
        if chunk is None:
            return
        yield chunk


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise ProblemError(
            415,
            "not_multipart",
            "The recording is expected as multipart/form-data, in a field called “file”.",
            remedy="With curl, for example: -F file=@song.mp3",
        )
    return options[b"boundary"]


def _check_declared(request: Request, limit: int) -> None:
    """Refuses at once what honestly says that it is too large; a lie is caught on the way."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit + FORM_OVERHEAD:
        raise problems.too_large(limit)


class _Form:
    """Keeps the first part called ``file`` and passes over every other."""

    def __init__(self, boundary: bytes, *, limit: int) -> None:
        self._limit = limit
        self._received = 0
        self._buffer = bytearray()
        self._name = ""
        self._headers: dict[bytes, bytes] = {}
        self._field = bytearray()
        self._value = bytearray()
        self._taking = self._seen = self._ended = False
        callbacks: dict[str, Callable[..., None]] = {
            "on_part_begin": self._headers.clear,
            "on_header_field": lambda data, start, end: self._field.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header_end,
            "on_headers_finished": self._part_start,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }
        try:
            self._parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]
        except FormParserError:
            raise _malformed() from None

    def feed(self, chunk: bytes) -> int:
        """Takes the next bytes of the body; returns by how many what is kept has grown."""
        before = len(self._buffer)
        self._received += len(chunk)
        if self._received > self._limit + FORM_OVERHEAD:
            raise problems.too_large(self._limit)
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise _malformed() from None
        return len(self._buffer) - before

    def finish(self) -> Upload:
        if not self._ended:
            raise _malformed()
        if not self._seen:
            raise ProblemError(
                422,
                "no_file",
                "The request holds no field called “file”.",
                remedy="With curl, for example: -F file=@song.mp3",
            )
        if not self._buffer:
            raise ProblemError(
                422,
                "empty_file",
                f"{self._name}: the file is empty.",
                remedy="Choose another file.",
            )
        data = bytes(self._buffer)
        self._buffer.clear()
        return Upload(self._name, data)

    def _header_end(self) -> None:
        self._headers[bytes(self._field).lower()] = bytes(self._value)
        self._field.clear()
        self._value.clear()

    def _part_start(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        self._taking = options.get(b"name") == b"file" and not self._seen
        if self._taking:
            self._seen = True
            self._name = _clean_name(options.get(b"filename", b""))

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if not self._taking:
            return
        if len(self._buffer) + end - start > self._limit:
            raise problems.too_large(self._limit)
        self._buffer += data[start:end]

    def _part_end(self) -> None:
        self._taking = False

    def _end(self) -> None:
        self._ended = True


def _malformed() -> ProblemError:
    return ProblemError(
        400,
        "malformed_upload",
        "The upload is broken: it does not follow multipart/form-data.",
        remedy="Send it again.",
    )


def _clean_name(raw: bytes) -> str:
    """The last part of what the client calls the file, without control characters, at most 80."""
    name = re.split(r"[\\/]", raw.decode("utf-8", "replace"))[-1]
    return "".join(c for c in name if c.isprintable()).strip()[:80] or "recording"
