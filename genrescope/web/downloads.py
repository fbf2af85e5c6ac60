"""A large answer, sent piece by piece to a client that keeps reading."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from genrescope.web.limits import Budget, Limits

PIECE = 64 * 2**10
"""Bytes handed over at once; what a client that stops reading leaves behind is no more."""


class Download(Response):
    """Counts against ``budget`` until it is sent, and is given up with a client too slow.

    Raises (while it is sent):
        ProblemError: 503 when all that is held would be more than the budget.
        ClientDisconnect: nothing was read for `Limits.idle_s`, or not all within `upload_s`.
    """

    def __init__(
        self,
        content: bytes,
        *,
        media_type: str,
        headers: Mapping[str, str],
        limits: Limits,
        budget: Budget,
    ) -> None:
        super().__init__(content, media_type=media_type, headers=headers)
        self._limits = limits
        self._budget = budget

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        lease = self._budget.lease()
        lease.take(len(self.body))
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            await send_in_pieces(bytes(self.body), send, self._limits)
        finally:
            lease.release()


class Paced(Response):
    """A file of the page, sent piece by piece: a client that does not read it holds no more.

    Raises (while it is sent):
        ClientDisconnect: as `Download` does.
    """

    def __init__(
        self, content: bytes, *, media_type: str, headers: Mapping[str, str], limits: Limits
    ) -> None:
        super().__init__(media_type=media_type, headers=headers)
        self.headers["content-length"] = str(len(content))
        self._content = content
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        content = b"" if scope["method"] == "HEAD" else self._content
        await send_in_pieces(content, send, self._limits)


async def send_in_pieces(body: bytes, send: Send, limits: Limits) -> None:
    """The last of a response's body, to a client that keeps reading.

    Raises:
        ClientDisconnect: as `Download` does.
    """
    try:
        async with asyncio.timeout(limits.upload_s):
            for start in range(0, max(1, len(body)), PIECE):
                end = start + PIECE
                message = {
                    "type": "http.response.body",
                    "body": body[start:end],
                    "more_body": end < len(body),
                }
                async with asyncio.timeout(limits.idle_s):
                    await send(message)  # waits while the piece before is not read
    except TimeoutError:
        raise ClientDisconnect from None
