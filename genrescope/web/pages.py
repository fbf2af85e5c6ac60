"""The page's files, and the API reference as a page, all from memory."""

from __future__ import annotations

import hashlib
import html
import json
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from genrescope.web.problems import ProblemError

_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Asset:
    """One file of the page with the headers it is sent with."""

    body: bytes
    media_type: str
    etag: str

    def answer(self, request: Request) -> Response:
        """The file, or 304 when the client has it already."""
        headers = {"ETag": self.etag}
        sent = request.headers.get("if-none-match", "").split(",")
        known = [tag.strip().removeprefix("W/") for tag in sent]  # as proxies that compress send it
        if self.etag in known:
            return Response(status_code=304, headers=headers)
        return Response(self.body, media_type=self.media_type, headers=headers)


class Assets:
    """Every file of the folder ``static``, read once.

    Looking a path up in a table, not on the disk, is why no path of a client reaches the file
    system.
    """

    def __init__(self) -> None:
        self._assets = dict(_walk(files("genrescope.web") / "static", ""))

    def answer(self, path: str, request: Request) -> Response:
        """The asset ``path``. Raises ProblemError 404 when there is none of that name."""
        if path not in self._assets:
            raise ProblemError(404, "not_found", "There is nothing at this address.")
        return self._assets[path].answer(request)


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, Asset]]:
    found = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _walk(entry, f"{prefix}{entry.name}/")
        elif (kind := _TYPES.get(entry.name.rpartition(".")[2])) is not None:
            found.append((prefix + entry.name, asset(entry.read_bytes(), kind)))
    return found


def asset(body: bytes, media_type: str) -> Asset:
    """An asset whose ETag is its content's hash."""
    return Asset(body, media_type, f'"{hashlib.sha256(body).hexdigest()[:24]}"')


def reference(openapi: dict[str, Any]) -> bytes:
    """The API reference: an HTML page made from the OpenAPI description, without a script."""
    sections = [
        _operation(method, path, operation, openapi)
        for path, operations in openapi["paths"].items()
        for method, operation in operations.items()
    ]
    info = openapi["info"]
    page = (files("genrescope.web") / "static" / "docs.html").read_text(encoding="utf-8")
    return (
        page.replace("{{version}}", html.escape(info["version"]))
        .replace("{{description}}", html.escape(info["description"]))
        .replace("{{operations}}", "\n".join(sections))
        .encode()
    )


def _operation(method: str, path: str, operation: dict[str, Any], openapi: dict[str, Any]) -> str:
    name = html.escape(operation["operationId"])
    rows = "".join(
        f"<tr><td><code>{status}</code></td><td>{html.escape(answer['description'])}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    details = "".join(
        f"<details><summary>{title}: <code>{html.escape(kind)}</code></summary>"
        f"<pre tabindex='0'><code>{html.escape(json.dumps(schema, indent=2))}</code></pre>"
        "</details>"
        for title, kind, schema in _bodies(operation, openapi)
    )
    return (
        f"<section id='{name}' aria-labelledby='{name}-title'>"
        f"<h2 id='{name}-title'><span class='method'>{method.upper()}</span> "
        f"<code>{html.escape(path)}</code></h2>"
        f"<p class='summary'>{html.escape(operation.get('summary', ''))}</p>"
        f"<p>{html.escape(operation.get('description', ''))}</p>{details}"
        f"<table><caption>Answers</caption><thead><tr><th scope='col'>status</th>"
        f"<th scope='col'>meaning</th></tr></thead><tbody>{rows}</tbody></table></section>"
    )


def _bodies(operation: dict[str, Any], openapi: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """(title, media type, schema) of what is sent and of what comes back when all is well."""
    sent = operation.get("requestBody", {}).get("content", {})
    back = operation["responses"].get("200", {}).get("content", {})
    return [
        (title, kind, _resolved(content.get("schema", {}), openapi))
        for title, contents in (("Send", sent), ("Get", back))
        for kind, content in contents.items()
        if content.get("schema")
    ]


def _resolved(schema: Any, openapi: dict[str, Any]) -> Any:
    """``schema`` with references replaced and titles left out; the API's schemas never recurse."""
    if isinstance(schema, list):
        return [_resolved(item, openapi) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _resolved(openapi["components"]["schemas"][name], openapi)
    return {
        key: _resolved(value, openapi)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str))
    }
