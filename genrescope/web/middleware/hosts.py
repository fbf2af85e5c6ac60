"""Which host names the server answers to."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from genrescope.web.problems import ProblemError

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
PROBES = ("/api/v1/healthz", "/metrics")
"""Asked for under any host name: clusters probe and scrape by a pod's address."""


class Hosts:
    """ASGI middleware: refuses requests for other names, which is how DNS rebinding reaches us.

    Args:
        allowed: names without port; ``*`` any, ``*.example.org`` every name below.

    Raises:
        ProblemError: 400.
    """

    def __init__(self, app: ASGIApp, *, allowed: Sequence[str]) -> None:
        self._app = app
        self._allowed = tuple(host.lower() for host in allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._admits(scope):
            raise ProblemError(
                400,
                "unknown_host",
                "This server does not answer to that host name.",
                remedy="Start it with the name it is reached by among its allowed hosts.",
            )
        await self._app(scope, receive, send)

    def _admits(self, scope: Scope) -> bool:
        if scope["method"] in ("GET", "HEAD") and scope["path"] in PROBES:
            return True
        names = Headers(scope=scope).getlist("host")
        if len(names) > 1:  # whoever stands in front may have looked at another of them
            return False
        name = "".join(names).lower()
        if not name.endswith("]"):  # a bare IPv6 address ends so; anything else may carry a port
            name = name.rpartition(":")[0] or name
        return any(_matches(name, pattern) for pattern in self._allowed)


def _matches(name: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return name.endswith(pattern[1:])
    return pattern in ("*", name)
