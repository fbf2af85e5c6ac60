"""The last resort: whatever is raised further in becomes an answer, or an entry in the log."""

from __future__ import annotations

import logging

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genrescope.web import problems
from genrescope.web.middleware.record import REQUEST_ID
from genrescope.web.problems import ProblemError

log = logging.getLogger("genrescope.web")


class Failures:
    """ASGI middleware: refusals as JSON; faults of ours as 500, with their details in the log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = False

        async def noting_send(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive, noting_send)
        except ClientDisconnect:
            pass  # nobody is there to read an answer
        except ProblemError as problem:
            if not has_started:
                await problem.response()(scope, receive, send)
        except Exception:
            log.exception("request %s failed", scope.get(REQUEST_ID))
            if not has_started:
                await problems.internal().response()(scope, receive, send)
