"""As much of S3 as the fleet asks for, on this machine: objects in memory, and what was asked.

Listing in pages, ranges, ETags, and writing on condition that nothing is there, as
https://docs.aws.amazon.com/AmazonS3/latest/API has them. Who asks is not checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

DENIED = "denied"
"""A key that holds this may not be read."""

_PAGE = 3  # keys in a page of a listing; S3 has a thousand
_WHEN = "2026-01-02T03:04:05.000Z"
_WHEN_HTTP = "Fri, 02 Jan 2026 03:04:05 GMT"


@dataclass(frozen=True)
class Request:
    """What was asked: method, key, headers that matter, and the answer's status and length."""

    method: str
    key: str
    span: str | None
    condition: str | None
    status: int
    n_bytes: int


@dataclass
class Store:
    """Objects by ``bucket/key``.

    Attributes:
        url: of the server.
        objects: bytes by name.
        requests: in the order of their ends.
        names_condition: whether a refusal names the condition, as S3 does, and not all others do.
    """

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    names_condition: bool = True
    lock: Lock = field(default_factory=Lock)


@contextmanager
def serving() -> Iterator[Store]:
    """A store that answers until the end of the block."""
    store = Store()

    class Handler(_Handler):
        kept = store

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True  # clients keep their connections
        store.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield store
        finally:
            server.shutdown()
            thread.join(timeout=30)


class _Handler(BaseHTTPRequestHandler):
    kept: Store
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        key, query = self._asked()
        if "list-type" in query:
            self._answer(200, self._listing(key, query), {"Content-Type": "application/xml"})
            return
        data = self.kept.objects.get(key)
        if DENIED in key:
            self._refuse(403, "AccessDenied")
        elif data is None:
            self._refuse(404, "NoSuchKey")
        else:
            self._send(data)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        key, _ = self._asked()
        data = self.rfile.read(int(self.headers["Content-Length"]))
        with self.kept.lock:
            taken = self.headers.get("If-None-Match") == "*" and key in self.kept.objects
            if not taken:
                self.kept.objects[key] = data
        if taken:
            self._refuse(412, "PreconditionFailed", condition="If-None-Match")
        else:
            self._answer(200, b"", {"ETag": _etag(data)})

    def _asked(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        return unquote(parts.path).strip("/"), {name: values[0] for name, values in query.items()}

    def _send(self, data: bytes) -> None:
        headers = {"ETag": _etag(data), "Last-Modified": _WHEN_HTTP}
        span = self.headers.get("Range")
        if span is None:
            self._answer(200, data, headers)
            return
        start, end = (int(n) for n in span.removeprefix("bytes=").split("-"))
        part = data[start : end + 1]
        span = f"bytes {start}-{start + len(part) - 1}/{len(data)}"
        self._answer(206, part, headers | {"Content-Range": span})

    def _listing(self, bucket: str, query: dict[str, str]) -> bytes:
        """A page of the keys and of what stands between prefix and delimiter."""
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        found: dict[str, bytes | None] = {}
        for name, data in sorted(self.kept.objects.items()):
            key = name.removeprefix(f"{bucket}/")
            if name.startswith(f"{bucket}/") and key.startswith(prefix):
                head, cut, _ = key[len(prefix) :].partition(delimiter or "\0")
                found[f"{prefix}{head}{cut}"] = None if cut else data
        names = sorted(found)
        start = int(query.get("continuation-token", "0"))
        page = names[start : start + _PAGE]
        entries = "".join(_entry(escape(name), found[name]) for name in page)
        more = start + _PAGE < len(names)
        token = f"<NextContinuationToken>{start + _PAGE}</NextContinuationToken>" if more else ""
        return (
            f"<ListBucketResult><Name>{bucket}</Name><KeyCount>{len(page)}</KeyCount>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{entries}</ListBucketResult>"
        ).encode()

    def _refuse(self, status: int, code: str, *, condition: str = "") -> None:
        named = condition and self.kept.names_condition
        more = f"<Condition>{condition}</Condition>" if named else ""
        body = f"<Error><Code>{code}</Code><Message>{code}</Message>{more}</Error>"
        self._answer(status, body.encode(), {"Content-Type": "application/xml"})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            body = b""
        self.wfile.write(body)
        span, condition = (self.headers.get(name) for name in ("Range", "If-None-Match"))
        key = self._asked()[0]
        self.kept.requests.append(Request(self.command, key, span, condition, status, len(body)))

    def log_message(self, *_: object) -> None:
        pass


def _entry(name: str, data: bytes | None) -> str:
    if data is None:
        return f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>"
    return (
        f"<Contents><Key>{name}</Key><LastModified>{_WHEN}</LastModified>"
        f"<ETag>{escape(_etag(data))}</ETag><Size>{len(data)}</Size></Contents>"
    )


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
