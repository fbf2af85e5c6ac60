"""What a connection may do before there is a request: uvicorn's protocol, with limits of its own.

httptools parses in C, so that a body of many one-byte chunks costs little, but it takes headers
without end; and a connection that sends nothing would be kept for ever.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from genrescope.web.limits import Limits
from genrescope.web.middleware.headers import SECURITY_HEADERS
from genrescope.web.problems import ProblemError

_GRACE_S = 30  # what a request may still take after Ctrl-C
BACKLOG = 64
"""Connections that the system accepts before we do, and that are taken from it at once."""
# One that is over the limit makes another close, but meanwhile as many more are taken.
OTHER_FILES = 128 + 3 * BACKLOG
"""What is open besides the connections that may be: libraries, pipes to workers, some of those that
are about to close."""


def connections_within(files: int, wanted: int) -> int:
    """How many connections may be open where a process may open so many files."""
    return min(wanted, max(files // 4, files - OTHER_FILES))


def server_config(app: ASGIApp, limits: Limits, **more: Any) -> uvicorn.Config:
    """How uvicorn serves ``app``; ``more`` goes to `uvicorn.Config`."""
    return uvicorn.Config(
        app,
        http=type("LimitedConnection", (Connection,), {"limits": limits}),
        ws="none",
        backlog=BACKLOG,
        server_header=False,
        access_log=False,
        proxy_headers=False,  # no address is looked at
        timeout_keep_alive=limits.keep_alive_s,
        timeout_graceful_shutdown=_GRACE_S,
        **more,
    )


class Connection(HttpToolsProtocol):
    """A connection whose headers arrive in time and are no larger than `Limits` allow.

    Where there are as many connections as may be, the one that has been idle for longest makes
    room for a new one; where none is idle, the new one is refused with 503.
    """

    limits: Limits

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_bytes = 0
        self._header_bytes = 0
        self._body_pieces = self._body_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._idle_since = self.loop.time()
        self._in_head = True
        self._await_head()
        if len(self.connections) > self.limits.connections:
            self._make_room()

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= self.limits.pipelined:
            raise ValueError("too many requests at once")
        super().on_message_begin()

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
            self._await_head()
            # Nothing is upgraded to here; the parser would take what follows for no HTTP, and
            # some clients (Java's) offer HTTP/2 so with every upload.
            head, end, body = data.partition(b"\r\n\r\n")
            data = _UPGRADE.sub(b"Ignored", head) + end + body
        super().data_received(data)
        if self._in_head and self._head_bytes > self.limits.header_bytes:
            self._refuse(431, "headers_too_large", "The headers of the request are too large.")

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_there()
        super().connection_lost(exc)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > self.limits.header_bytes:  # trailers come after the head
            raise ValueError("too many headers")
        if name.lower() == b"transfer-encoding" and value.strip().lower() != b"chunked":
            raise ValueError("a coding that nothing here reads")  # RFC 9112, 6.1
        super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        # Each costs a call, however small it is.
        self._body_pieces += 1
        self._body_bytes += len(body)
        large = self._body_bytes // _LEAST_PIECE
        if self._body_pieces - large > self.limits.small_pieces:
            raise ValueError("the body comes in too many pieces")
        super().on_body(body)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_is_there()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head = True
        self._head_bytes = self._header_bytes = 0
        self._body_pieces = self._body_bytes = 0

    def on_response_complete(self) -> None:
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def timeout_keep_alive_handler(self) -> None:
        if self.transport.get_write_buffer_size():  # it does not read, and never would
            self.transport.abort()
        super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "malformed_request", "This is no HTTP request that can be read.")

    def _await_head(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.limits.header_s, self._head_is_late)

    def _head_is_there(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _head_is_late(self) -> None:
        self._timer = None
        if self._head_bytes and self._is_idle():
            self._refuse(408, "too_slow", "The headers of the request did not arrive in time.")
        elif self._is_idle():
            self.transport.close()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _make_room(self) -> None:
        others = [c for c in self.connections if isinstance(c, Connection) and c is not self]
        idle = [c for c in others if c._is_idle() and not c.transport.is_closing()]
        if idle:
            min(idle, key=lambda c: c._idle_since).transport.abort()
        else:
            self._refuse(503, "busy", "Too many connections are open.", {"Retry-After": "5"})

    def _refuse(
        self, status: int, code: str, message: str, headers: dict[str, str] | None = None
    ) -> None:
        """Answers without an app, and closes."""
        if self.transport.is_closing():
            return
        begun = self.cycle is not None and self.cycle.response_started and not self._is_idle()
        if begun or self.pipeline:
            self.transport.close()  # there is an answer on its way already
            return
        response = ProblemError(status, code, message, headers=headers).response()
        response.headers.update(
            {**SECURITY_HEADERS, "Cache-Control": "no-store", "Connection": "close"}
        )
        head = b"HTTP/1.1 %d %s\r\n" % (status, _PHRASES[status])
        lines = [b"%s: %s\r\n" % pair for pair in response.raw_headers]
        self.transport.write(b"".join([head, *lines, b"\r\n", bytes(response.body)]))
        self.transport.close()


_LEAST_PIECE = 64
_UPGRADE = re.compile(rb"(?<=\r\n)Upgrade(?=[ \t]*:)", re.IGNORECASE)
_PHRASES = {
    400: b"Bad Request",
    408: b"Request Timeout",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}
