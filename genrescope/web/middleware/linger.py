"""Lets a client that is still sending read why it was refused."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genrescope.web.limits import Limits


class Linger:
    """ASGI middleware: takes the rest of a refused upload for a while, and throws it away.

    A server that closes at once resets the connection, and the client, still sending, never
    reads the answer.

    Args:
        limits: for how long, and how many bytes.
    """

    def __init__(self, app: ASGIApp, *, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        length = headers.get("content-length")
        has_more = "transfer-encoding" in headers or length not in (None, "0")
        waits = headers.get("expect", "").lower() == "100-continue"  # sends only when asked to
        received = 0

        async def watched_receive() -> Message:
            nonlocal has_more, waits, received
            message = await receive()
            has_more = message.get("more_body", False)
            waits = False
            received += len(message.get("body", b""))
            return message

        async def patient_send(message: Message) -> None:
            if message["type"] == "http.response.start" and has_more:
                # What is left of the upload must not be taken for the next request.
                MutableHeaders(scope=message)["Connection"] = "close"
            is_last = message["type"] == "http.response.body" and not message.get("more_body")
            if not (is_last and has_more and not waits):
                await send(message)
                return
            await send({**message, "more_body": True})
            try:
                async with asyncio.timeout(self._limits.linger_s):
                    while has_more and received < self._limits.linger_bytes:
                        await watched_receive()
            except TimeoutError:
                pass
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self._app(scope, watched_receive, patient_send)
