"""Which other sites' pages may use the server."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genrescope.web.problems import ProblemError

SAFE = ("GET", "HEAD", "OPTIONS")
_EXPOSED = "X-Loudness-Before, X-Loudness-After, X-Peak, X-Request-ID, Retry-After"
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST",
    "Access-Control-Allow-Headers": "Content-Type",
    "Access-Control-Max-Age": "600",
    "Vary": "Origin",
}


class Origins:
    """ASGI middleware: refuses what another site's page sends; lets in those that are allowed.

    A foreign page could not read the answer, but it could keep the server busy with visitors'
    browsers. Browsers say where a request comes from by ``Sec-Fetch-Site``, older ones by
    ``Origin`` alone; programs such as curl send neither, and are let in.

    Args:
        allowed: origins such as ``https://example.org`` whose pages may send and read (CORS).

    Raises:
        ProblemError: 403.
    """

    def __init__(self, app: ASGIApp, *, allowed: Sequence[str] = ()) -> None:
        self._app = app
        self._allowed = frozenset(origin.lower().rstrip("/") for origin in allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")
        if origin.lower() in self._allowed:
            await self._share(scope, receive, send, origin)
        elif scope["method"] not in SAFE and _is_foreign(headers, origin):
            raise ProblemError(
                403, "cross_site", "Another site's page may not send recordings here."
            )
        else:
            await self._app(scope, receive, send)

    async def _share(self, scope: Scope, receive: Receive, send: Send, origin: str) -> None:
        """Answers with the headers by which a browser hands the answer to the page."""

        async def sharing_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Access-Control-Allow-Origin"] = origin
                headers["Access-Control-Expose-Headers"] = _EXPOSED
                headers.add_vary_header("Origin")
            await send(message)

        is_preflight = "access-control-request-method" in Headers(scope=scope)
        if scope["method"] == "OPTIONS" and is_preflight:
            await Response(status_code=204, headers=_PREFLIGHT)(scope, receive, sharing_send)
        else:
            await self._app(scope, receive, sharing_send)


def _is_foreign(headers: Headers, origin: str) -> bool:
    site = headers.get("sec-fetch-site")
    if site in ("same-origin", "none"):  # no page can set this header
        return False
    if site == "cross-site":
        return True
    # The scheme is left out: behind a proxy that ends TLS, ours is not the browser's.
    return bool(origin) and origin.rpartition("//")[2].lower() != headers.get("host", "").lower()
