"""Measures and names each exchange: metrics, a line of the log, and ``X-Request-ID``."""

from __future__ import annotations

import json
import logging
import time
import uuid

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genrescope.web.metrics import Metrics

REQUEST_ID = "genrescope.request_id"
"""Where the scope keeps the request's name, for logs further in."""

CLIENT_LEFT = 499
"""What is recorded where a client hung up before there was a status, as nginx has it."""

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

log = logging.getLogger("genrescope.web")


class Record:
    """ASGI middleware, the outermost: what it does not see has not happened.

    The log holds sizes, times and the route's template; no address, no name, no content.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope[REQUEST_ID] = uuid.uuid4().hex[:12]
        started = time.perf_counter()
        received = sent = status = 0

        async def counted_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def counted_send(message: Message) -> None:
            nonlocal sent, status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            sent += len(message.get("body", b""))
            await send(message)

        self._metrics.in_flight += 1
        try:
            await self._app(scope, counted_receive, counted_send)
        finally:
            self._metrics.in_flight -= 1
            self._metrics.received_bytes += received
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = getattr(scope.get("route"), "path", "other")
            status = status or CLIENT_LEFT
            seconds = time.perf_counter() - started
            self._metrics.observe(method=method, route=route, status=status, seconds=seconds)
            if log.isEnabledFor(logging.INFO):
                entry = {
                    "request": request_id,
                    "method": method,
                    "route": route,
                    "status": status,
                    "ms": round(seconds * 1000, 1),
                    "received": received,
                    "sent": sent,
                }
                log.info(json.dumps(entry))
