"""One uploaded recording, read as a stream into memory and never onto a disk."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from genrescope.web import problems
from genrescope.web.limits import Lease, Limits
from genrescope.web.problems import ProblemError

RAW_TYPES = ("application/octet-stream", "audio/", "video/", "application/ogg")
"""Media types, or their beginnings, of a body that is the recording itself."""

_UNTOLD_TYPES = (b"", b"application/x-www-form-urlencoded")
"""Media types of clients that say nothing of what they send: the second is what
``curl --data-binary`` sends unless told otherwise."""


@dataclass(frozen=True)
class Upload:
    """A recording as it was sent: ``data``, ``name`` for use in messages alone, and the short
    ``fields`` that stood beside it in its form."""

    name: str
    data: bytes
    fields: Mapping[str, str] = field(default_factory=dict)


async def receive(request: Request, *, limits: Limits, lease: Lease) -> Upload:
    """The recording of a request: the part ``file`` of a form, or the whole body.

    ``lease`` grows with what is kept, and is the caller's to release.

    Raises:
        ProblemError: 400 or 415 for another form, 408 for a client too slow, 413 past the limit,
            503 when all recordings together are past theirs.
    """
    body = _body(request, limits)
    _check_declared(request, limits, is_form=isinstance(body, _Form))
    kept = 0
    try:
        async with asyncio.timeout(None) as others_wait:
            now = asyncio.get_running_loop().time
            with lease.arriving(lambda: others_wait.reschedule(now())):
                async for chunk in paced(request, limits):
                    body.feed(chunk)
                    lease.take(body.kept - kept)
                    kept = body.kept
    except TimeoutError:
        raise _too_slow() from None
    return body.finish()


async def paced(request: Request, limits: Limits) -> AsyncIterator[bytes]:
    """The body in chunks, from a client that keeps sending. Raises ProblemError 408 otherwise."""
    chunks = aiter(request.stream())
    clock = asyncio.get_running_loop().time
    end = clock() + limits.upload_s
    since, n_bytes = clock(), 0
    while True:
        try:
            async with asyncio.timeout(min(limits.idle_s, max(end - clock(), 0))):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise _too_slow() from None
        if chunk is None:
            return
        n_bytes += len(chunk)
        if (seconds := clock() - since) > limits.idle_s:
            if n_bytes < seconds * limits.upload_rate:
                raise _too_slow()
            since, n_bytes = clock(), 0
        yield chunk


def _too_slow() -> ProblemError:
    return ProblemError(
        408,
        "too_slow",
        "The upload stopped arriving before it was complete.",
        remedy="Check the connection and try again.",
        headers={"Connection": "close"},
    )


class _Body(Protocol):
    """What takes a request's body piece by piece.

    Attributes:
        kept: bytes held so far.
    """

    @property
    def kept(self) -> int: ...

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes. Raises ProblemError for what is too large or broken."""
        ...

    def finish(self) -> Upload: ...


def _body(request: Request, limits: Limits) -> _Body:
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind == b"multipart/form-data" and options.get(b"boundary"):
        return _Form(options[b"boundary"], limits)
    if kind.decode("latin-1").startswith(RAW_TYPES):
        return _Raw(limits)
    if kind in _UNTOLD_TYPES:
        return _Untold(limits)
    raise _another_form()


def _another_form() -> ProblemError:
    return ProblemError(
        415,
        "not_multipart",
        "The recording is expected as multipart/form-data, in a field called “file”, or alone, "
        "as application/octet-stream.",
        remedy="With curl, for example: -F file=@song.mp3, or --data-binary @song.mp3",
    )


def _check_declared(request: Request, limits: Limits, *, is_form: bool) -> None:
    """Refuses at once what honestly says that it is too large; a lie is caught on the way."""
    declared = request.headers.get("content-length", "")
    most = limits.upload_bytes + (limits.form_bytes if is_form else 0)
    if declared.isdecimal() and int(declared) > most:
        raise problems.too_large(limits.upload_bytes)


class _Raw:
    """A body that is the recording itself."""

    def __init__(self, limits: Limits) -> None:
        self._limit = limits.upload_bytes
        self._buffer = bytearray()

    @property
    def kept(self) -> int:
        return len(self._buffer)

    def feed(self, chunk: bytes) -> None:
        if len(self._buffer) + len(chunk) > self._limit:
            raise problems.too_large(self._limit)
        self._buffer += chunk

    def finish(self) -> Upload:
        return _upload("recording", self._buffer, {})


class _Untold(_Raw):
    """A body of which nobody says what it is: the recording itself, unless it is a short form,
    ``file=...``, as of ``curl -d file=@song.mp3``, which sends the name alone."""

    def finish(self) -> Upload:
        if self._buffer.startswith(b"file="):
            raise _another_form()
        return super().finish()


class _Form:
    """Keeps the first part called ``file``, and what little other parts hold."""

    def __init__(self, boundary: bytes, limits: Limits) -> None:
        self._limits = limits
        self._received = 0
        self._parts = 0
        self._buffer = bytearray()
        self._name = ""
        self._headers: dict[bytes, bytes] = {}
        self._header_bytes = 0
        self._field = bytearray()
        self._value = bytearray()
        self._fields: dict[str, bytearray] = {}
        self._taking: bytearray | None = None  # what the part that arrives is kept in, if it is
        self._seen = self._ended = False
        callbacks: dict[str, Callable[..., None]] = {
            "on_part_begin": self._part_begin,
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

    @property
    def kept(self) -> int:
        fields = sum(len(name) + len(value) for name, value in self._fields.items())
        headers = self._header_bytes + len(self._field) + len(self._value)
        return len(self._buffer) + headers + fields

    def feed(self, chunk: bytes) -> None:
        self._received += len(chunk)
        if self._received > self._limits.upload_bytes + self._limits.form_bytes:
            raise problems.too_large(self._limits.upload_bytes)
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise _malformed() from None
        if self._received - len(self._buffer) > self._limits.form_bytes:
            raise _too_much_form(f"{self._limits.form_bytes / 2**10:g} kB beside the file")

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
        fields = {name: value.decode("utf-8", "replace") for name, value in self._fields.items()}
        return _upload(self._name, self._buffer, fields)

    def _part_begin(self) -> None:
        self._headers.clear()
        self._header_bytes = 0
        self._parts += 1
        if self._parts > self._limits.form_parts:
            raise _too_much_form(f"{self._limits.form_parts} parts")

    def _header_end(self) -> None:
        self._headers[bytes(self._field).lower()] = bytes(self._value)
        self._header_bytes += len(self._field) + len(self._value)
        self._field.clear()
        self._value.clear()

    def _part_start(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        self._taking = None
        if name == "file" and not self._seen:
            self._seen = True
            self._name = _clean_name(options.get(b"filename", b""))
            self._taking = self._buffer
        elif name != "file":
            self._taking = self._fields.setdefault(name, bytearray())

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._taking is None:
            return
        if len(self._buffer) + end - start > self._limits.upload_bytes:
            raise problems.too_large(self._limits.upload_bytes)
        self._taking += data[start:end]

    def _part_end(self) -> None:
        self._taking = None

    def _end(self) -> None:
        self._ended = True


def _upload(name: str, buffer: bytearray, fields: Mapping[str, str]) -> Upload:
    if not buffer:
        raise ProblemError(
            422, "empty_file", f"{name}: the file is empty.", remedy="Choose another file."
        )
    data = bytes(buffer)
    buffer.clear()
    return Upload(name, data, fields)


def _too_much_form(most: str) -> ProblemError:
    return ProblemError(
        413,
        "form_too_large",
        f"The form holds more than a recording: at most {most} are accepted.",
        remedy="Send the recording alone, in a field called “file”.",
    )


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
