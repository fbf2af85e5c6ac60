"""The page's files, in each of its languages, and the API reference, all from memory."""

from __future__ import annotations

import gzip
import hashlib
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from genrescope.web.downloads import Paced
from genrescope.web.limits import Limits
from genrescope.web.problems import ProblemError

LANGUAGES = ("en", "de")
"""What the page speaks; the first is for everybody who asks for none of them."""

STYLES = ("base", "listen", "result", "why", "tries", "docs", "media")
"""Parts of the style sheet, in the order in which they overrule each other."""

TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "ogg": "audio/ogg",
    "png": "image/png",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
}
_SMALLEST_GZIP = 500  # bytes; less is not worth unpacking
_PLACEHOLDER = re.compile(r"\{\{([\w.]+)\}\}")


@dataclass(frozen=True)
class Asset:
    """One file of the page with the headers it is sent with; ``packed`` is its gzip, if smaller."""

    body: bytes
    media_type: str
    etag: str
    packed: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def answer(self, request: Request) -> Response:
        """The file, packed for who takes that, or 304 when the client has it already."""
        headers = {"ETag": self.etag, **self.headers}
        body = self.body
        if self.packed is not None:
            vary = [headers.get("Vary"), "Accept-Encoding"]
            headers["Vary"] = ", ".join(name for name in vary if name)
            if _takes_gzip(request.headers.get("accept-encoding", "")):
                body = self.packed
                headers["Content-Encoding"] = "gzip"
                headers["ETag"] = f'{self.etag[:-1]}-gzip"'
        sent = request.headers.get("if-none-match", "").split(",")
        known = [tag.strip().removeprefix("W/") for tag in sent]  # as proxies that compress send it
        if headers["ETag"] in known:
            headers.pop("Content-Encoding", None)
            return Response(status_code=304, headers=headers)
        limits: Limits = request.app.state.limits
        return Paced(body, media_type=self.media_type, headers=headers, limits=limits)


def asset(body: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> Asset:
    """An asset whose ETag is its content's hash."""
    is_text = not media_type.startswith(("audio/", "image/png"))
    packed = gzip.compress(body, 9, mtime=0) if is_text and len(body) > _SMALLEST_GZIP else None
    if packed is not None and len(packed) >= len(body):
        packed = None
    etag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    return Asset(body, media_type, etag, packed, headers or {})


def _takes_gzip(accepted: str) -> bool:
    for part in accepted.split(","):
        name, _, weight = part.replace(" ", "").partition(";q=")
        if name in ("gzip", "*") and weight not in ("0", "0.0", "0.00", "0.000"):
            return True
    return False


@dataclass(frozen=True)
class Place:
    """Where the page stands, and what is behind it.

    Attributes:
        root: address of the page, as the page writes it.
        worker: of the service worker.
        runs: who names the genres: ``server``, or ``computer`` where there is no server.
        translation: address of the page in another language, with ``{language}`` for it.
        policy: an element for the page's head, where no server sends a header.
        elsewhere: address of the page that listens elsewhere, on the visitor's computer or on a
            server; empty where there is none.
    """

    root: str = "/"
    worker: str = "/static/worker.js"
    runs: str = "server"
    translation: str = "/?lang={language}"
    policy: str = ""
    elsewhere: str = ""


SHARED_LOCAL = frozenset(
    f"local/{name}.js"
    for name in (
        *("decode", "mel", "memory", "pieces", "pulse"),
        *("rate", "regions", "smoothing", "wav"),
    )
)
"""Of what names genres in the browser, what a page with a server uses too."""


class Assets:
    """Every file of the page, read once: its own, the samples, and the page in each language.

    Args:
        local: address of the same page that listens on the visitor's computer, by language;
            nothing where it is not offered.

    Looking a path up in a table, not on the disk, is why no path of a client reaches the file
    system.
    """

    def __init__(self, local: Mapping[str, str] | None = None) -> None:
        # The page of a server asks that server; it needs little of what asks nobody.
        found = {
            name: each
            for name, each in shared_files().items()
            if not name.startswith("local/") or name in SHARED_LOCAL
        }
        self._pages: dict[str, Asset] = {}
        for language in LANGUAGES:
            strings = texts(language)
            found[f"strings.{language}.js"] = script_of(strings)
            self._pages[language] = page(
                language,
                strings,
                scripts=found,
                place=Place(elsewhere=(local or {}).get(language, "")),
            )
        found["worker.js"] = _worker([*found.items(), *self._pages.items()])
        self._assets = found

    def page(self, request: Request) -> Response:
        """The page in the language that is asked for."""
        return self._pages[language_of(request)].answer(request)

    def answer(self, path: str, request: Request) -> Response:
        """The asset ``path``. Raises ProblemError 404 when there is none of that name."""
        if path not in self._assets:
            raise ProblemError(404, "not_found", "There is nothing at this address.")
        return self._assets[path].answer(request)


def shared_files() -> dict[str, Asset]:
    """What the page is made of in any language and anywhere: its parts and the samples."""
    found = dict(_walk(files("genrescope.web") / "static", ""))
    styles = [found.pop(f"css/{name}.css").body for name in STYLES]
    found["style.css"] = asset(b"\n".join(styles), TYPES["css"])
    found.update(_walk(files("genrescope") / "samples", "samples/"))
    return found


def script_of(strings: Mapping[str, str]) -> Asset:
    """All that the page says, as a script that its other scripts import."""
    script = f"export default {json.dumps(strings, ensure_ascii=False)};\n"
    return asset(script.encode(), TYPES["js"])


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Asset]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        elif (kind := TYPES.get(entry.name.rpartition(".")[2])) is not None:
            yield prefix + entry.name, asset(entry.read_bytes(), kind)


def texts(language: str) -> dict[str, str]:
    """All that the page says in ``language``: key -> words, with {places} for values."""
    path = files("genrescope.web") / "strings" / f"{language}.json"
    strings: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return strings


def language_of(request: Request) -> str:
    """By the address (``?lang=de``), else by the cookie ``lang``, else as the browser prefers."""
    for named in (request.query_params.get("lang"), request.cookies.get("lang")):
        if named in LANGUAGES:
            return named
    wishes = []
    for part in request.headers.get("accept-language", "").split(","):
        tag, _, weight = part.replace(" ", "").partition(";q=")
        try:
            wishes.append((float(weight or 1), tag.partition("-")[0].lower()))
        except ValueError:
            continue
    wishes.sort(key=lambda wish: -wish[0])
    return next((tag for q, tag in wishes if q > 0 and tag in LANGUAGES), LANGUAGES[0])


def template(name: str) -> str:
    """The text of a file of ``templates/``."""
    return (files("genrescope.web") / "templates" / name).read_text(encoding="utf-8")


def page(
    language: str, strings: Mapping[str, str], *, scripts: Iterable[str], place: Place
) -> Asset:
    """The page: a template whose ``{{key}}`` are the strings of that name.

    It names every script, so that the browser asks for them at once and not one after another.
    """
    preloads = "\n    ".join(
        f'<link rel="modulepreload" href="{place.root}static/{name}" />'
        for name in sorted(scripts)
        if name.endswith(".js") and (name.count(".") == 1 or name == f"strings.{language}.js")
    )
    values = {key: html.escape(value) for key, value in strings.items()}
    values |= {
        "lang": language,
        "preloads": preloads,
        "root": place.root,
        "worker": place.worker,
        "runs": place.runs,
        "translation": place.translation.format(language=strings["language.other"]),
        "policy": place.policy,
        "elsewhere": f'href="{place.elsewhere}"' if place.elsewhere else "hidden",
    }
    text = _PLACEHOLDER.sub(lambda match: values[match[1]], template("index.html"))
    headers = {"Content-Language": language, "Vary": "Accept-Language, Cookie"}
    return asset(text.encode(), TYPES["html"], headers)


def _worker(shown: list[tuple[str, Asset]]) -> Asset:
    """The service worker, which keeps the page for when there is no connection.

    Its text holds a version made of every file, so that a browser sees when any has changed.
    """
    etags = "".join(sorted(each.etag for _, each in shown))
    names = [name for name, _ in shown if name.endswith((".js", ".css", ".svg", ".webmanifest"))]
    script = service_worker(
        "worker.js", made_of=etags, files=[f"/static/{name}" for name in sorted(names)]
    )
    return asset(script, TYPES["js"], {"Service-Worker-Allowed": "/"})


def service_worker(name: str, *, made_of: str, files: list[str]) -> bytes:
    """A service worker: what all of them do, and a template of its own for how it answers.

    Args:
        name: of the template.
        made_of: changes whenever one of the files does; the version is made of it.
        files: addresses of what it keeps.
    """
    version = hashlib.sha256(made_of.encode()).hexdigest()[:12]
    cache = template("cache.js").replace("{{version}}", version)
    return f"{cache}\n{template(name).replace('{{files}}', json.dumps(files))}".encode()


def reference(openapi: dict[str, Any]) -> bytes:
    """The API reference: an HTML page made from the OpenAPI description, without a script."""
    sections = [
        _operation(method, path, operation, openapi)
        for path, operations in openapi["paths"].items()
        for method, operation in operations.items()
    ]
    info = openapi["info"]
    return (
        template("docs.html")
        .replace("{{version}}", html.escape(info["version"]))
        .replace("{{description}}", _prose(info["description"]))
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
    samples = "".join(
        f"<pre tabindex='0'><code>{html.escape(sample['source'])}</code></pre>"
        for sample in operation.get("x-codeSamples", ())
    )
    return (
        f"<section id='{name}' aria-labelledby='{name}-title'>"
        f"<h2 id='{name}-title'><span class='method'>{method.upper()}</span> "
        f"<code>{html.escape(path)}</code></h2>"
        f"<p class='summary'>{html.escape(operation.get('summary', ''))}</p>"
        f"<p>{_prose(operation.get('description', ''))}</p>{samples}{details}"
        f"<table><caption>Answers</caption><thead><tr><th scope='col'>status</th>"
        f"<th scope='col'>meaning</th></tr></thead><tbody>{rows}</tbody></table></section>"
    )


def _prose(text: str) -> str:
    """A description as HTML, with what stands between backticks as code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", html.escape(text))


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
