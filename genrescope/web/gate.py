"""What every request passes on its way in, and every answer on its way out."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genrescope.web import problems
from genrescope.web.metrics import Metrics
from genrescope.web.problems import ProblemError

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
PROBES = ("/api/v1/healthz", "/metrics")
"""Asked for under any host name: clusters probe and scrape by a pod's address."""

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "media-src 'self' blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "microphone=(self), camera=(), geolocation=(), display-capture=(), payment=(), usb=()"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

LINGER_S = 5.0
LINGER_BYTES = 256 * 2**20

log = logging.getLogger("genrescope.web")


class Gate:
    """ASGI middleware: host and origin check, security headers, metrics, log, last resort.

    Args:
        allowed_hosts: names this server answers to, without port; ``*`` any,
            ``*.example.org`` every name below.
    """

    def __init__(self, app: ASGIApp, *, allowed_hosts: Sequence[str], metrics: Metrics) -> None:
        self._app = app
        self._hosts = tuple(host.lower() for host in allowed_hosts)
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        self._metrics.in_flight += 1
        try:
            await self._answer(scope, exchange)
        finally:
            self._metrics.in_flight -= 1
            self._record(scope, exchange)

    async def _answer(self, scope: Scope, exchange: _Exchange) -> None:
        try:
            self._admit(Headers(scope=scope), scope["method"], scope["path"])
            await self._app(scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            exchange.status = exchange.status or 499
        except ProblemError as problem:
            await problem.response()(scope, exchange.receive, exchange.send)
        except Exception:
            log.exception("request %s failed", exchange.request_id)
            if exchange.status == 0:
                await problems.internal().response()(scope, exchange.receive, exchange.send)

    def _admit(self, headers: Headers, method: str, path: str) -> None:
        is_probe = method in ("GET", "HEAD") and path in PROBES
        host = headers.get("host", "")
        if not is_probe and not any(_matches(host, pattern) for pattern in self._hosts):
            raise ProblemError(
                400,
                "unknown_host",
                "This server does not answer to that host name.",
                remedy="Start it with the name it is reached by among its allowed hosts.",
            )
        # A foreign page could not read the answer, but it could keep the server busy.
        if method not in ("GET", "HEAD") and headers.get("sec-fetch-site") == "cross-site":
            raise ProblemError(
                403, "cross_site", "Another site's page may not send recordings here."
            )

    def _record(self, scope: Scope, exchange: _Exchange) -> None:
        route = getattr(scope.get("route"), "path", "other")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        seconds = time.perf_counter() - exchange.started
        self._metrics.received_bytes += exchange.received
        self._metrics.observe(method=method, route=route, status=exchange.status, seconds=seconds)
        if log.isEnabledFor(logging.INFO):
            entry = {
                "request": exchange.request_id,
                "method": method,
                "route": route,
                "status": exchange.status,
                "ms": round(seconds * 1000, 1),
                "received": exchange.received,
                "sent": exchange.sent,
            }
            log.info(json.dumps(entry))


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def _matches(host: str, pattern: str) -> bool:
    name = host.lower()
    if not name.endswith("]"):  # a bare IPv6 address ends so; anything else may carry a port
        name = name.rpartition(":")[0] or name
    if pattern.startswith("*."):
        return name.endswith(pattern[1:])
    return pattern in ("*", name)


class _Exchange:
    """One request and its answer: counts both, adds the headers, and lets a refusal be heard."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.request_id = uuid.uuid4().hex[:12]
        self.started = time.perf_counter()
        self.status = 0
        self.received = 0
        self.sent = 0
        self._receive = receive
        self._send = send
        self._api = scope["path"].startswith("/api/")
        headers = Headers(scope=scope)
        length = headers.get("content-length")
        self._more = "transfer-encoding" in headers or length not in (None, "0")
        self._waits = headers.get("expect", "").lower() == "100-continue"

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self.received += len(message.get("body", b""))
            self._more = message.get("more_body", False)
            self._waits = False
        else:
            self._more = False
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers[name] = value
            headers["X-Request-ID"] = self.request_id
            headers.setdefault("Cache-Control", "no-store" if self._api else "no-cache")
            await self._send(message)
            return
        self.sent += len(message.get("body", b""))
        last = not message.get("more_body", False)
        if last and self._more and not self._waits:
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def _linger(self) -> None:
        """Discards the rest of a refused upload for a while.

        Closing at once would reset the connection, and a client that is still sending would
        never read why it was refused.
        """
        try:
            async with asyncio.timeout(LINGER_S):
                while self._more and self.received < LINGER_BYTES:
                    await self.receive()
        except TimeoutError:
            pass
