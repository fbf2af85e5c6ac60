"""The page that names genres on the visitor's computer, beside the one that asks this server.

It is the site that `genrescope web export` writes, served below `ROOT`: nothing of what visitors
record there reaches the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from genrescope.model.bundle import Bundle
from genrescope.web import pages
from genrescope.web.problems import ProblemError
from genrescope.web.site import POLICY, page_name, site_files

ROOT = "/local/"

HEADER = f"{POLICY}; frame-ancestors 'none'"
"""Content security policy of all that is below `ROOT`."""

ADDRESSES = {
    language: ROOT + page_name(language).removesuffix("index.html") for language in pages.LANGUAGES
}
"""Of the page, by its language."""

_TYPES = pages.TYPES | {"json": "application/json", "wasm": "application/wasm"}


class LocalPage:
    """Every file of that page; safe to use from several threads.

    Args:
        bundles: what names the genres, the usual one first.
        ort: the folder ``dist`` of the npm package onnxruntime-web.

    Raises:
        SiteError: ONNX Runtime is not there, or a browser does not compute what a bundle's front
            end asks for.
        BundleError: a file of a bundle is not what its hash says.
    """

    def __init__(self, bundles: Sequence[Bundle], *, ort: Path) -> None:
        self._files = site_files(bundles, ort=ort, server="../")
        # Packed when they are first asked for: the largest takes a second.
        self._asset = lru_cache(maxsize=None)(self._pack)

    def _pack(self, path: str) -> pages.Asset:
        kind = _TYPES.get(path.rpartition(".")[2], "application/octet-stream")
        return pages.asset(self._files[path], kind)

    def answer(self, path: str, request: Request) -> Response:
        """The file ``path``. Raises ProblemError 404 when there is none of that name."""
        path = path or "index.html"
        if path not in self._files:
            raise ProblemError(404, "not_found", "There is nothing at this address.")
        return self._asset(path).answer(request)
