"""The page's files as they are sent: in its languages, packed, once; and its words are complete."""

from __future__ import annotations

import ast
import gzip
import json
import re
from pathlib import Path

import httpx
import pytest

from genrescope.web import pages

WEB = Path(pages.__file__).parent
SCRIPTS = {path.name: path.read_text(encoding="utf-8") for path in (WEB / "static").glob("*.js")}
PAGE = (WEB / "templates" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("ask", "language"),
    [
        ({}, "en"),
        ({"headers": {"Accept-Language": "de-AT,de;q=0.9,en;q=0.8"}}, "de"),
        ({"headers": {"Accept-Language": "fr, en;q=0.4, de;q=0.6"}}, "de"),
        ({"headers": {"Accept-Language": "fr;q=0.9, de;q=0"}}, "en"),
        ({"headers": {"Accept-Language": "de;q=nonsense, ;;,"}}, "en"),
        ({"headers": {"Cookie": "lang=de", "Accept-Language": "en"}}, "de"),
        ({"headers": {"Cookie": "lang=de"}, "params": {"lang": "en"}}, "en"),
        ({"params": {"lang": "../../etc"}}, "en"),
    ],
)
def test_the_page_speaks_what_is_asked_for(
    client: httpx.Client, ask: dict[str, dict[str, str]], language: str
) -> None:
    answer = client.get("/", **ask)  # type: ignore[arg-type]
    assert f'<html lang="{language}">' in answer.text
    assert answer.headers["content-language"] == language
    assert {"Accept-Language", "Cookie"} <= set(answer.headers["vary"].split(", "))
    assert "{{" not in answer.text
    preloaded = re.findall(r'rel="modulepreload" href="([^"]+)"', answer.text)
    assert f"/static/strings.{language}.js" in preloaded
    assert {f"/static/{name}" for name in SCRIPTS} <= set(preloaded)
    assert all(client.head(path).status_code == 200 for path in preloaded)


def _places(words: str) -> set[str]:
    return set(re.findall(r"\{\w+\}", words))


@pytest.mark.parametrize("language", pages.LANGUAGES[1:])
def test_every_language_says_everything(language: str) -> None:
    english, other = pages.texts("en"), pages.texts(language)
    assert set(other) == set(english)
    assert all(other.values())
    for key, words in english.items():
        assert _places(other[key]) == _places(words), key
    same = {key for key, words in english.items() if other[key] == words}
    assert len(same) < 25  # names of genres, and what is the same word


def test_the_strings_are_those_that_the_page_uses() -> None:
    places = {"lang", "preloads", "root", "worker", "runs", "translation", "policy"}
    used = set(re.findall(r"\{\{([\w.]+)\}\}", PAGE)) - places
    for script in SCRIPTS.values():
        used |= set(re.findall(r'"([a-z]\w*(?:\.\w+)*)"', script))
        composed = re.findall(r"`([a-z]+(?:\.\w+)*\.)\$", script)
        used |= {key for key in pages.texts("en") if key.startswith(tuple(composed) or "\0")}
    counted = {f"{key}.{form}" for key in used for form in ("one", "other")}
    assert set(pages.texts("en")) - used - counted == set()
    known = set(pages.texts("en"))
    called = {k for s in SCRIPTS.values() for k in re.findall(r'\bt\(\s*"([\w.]+)"', s)}
    assert called - known == set()


def _codes_of_the_server() -> set[str]:
    """Every code that a refusal is raised with, and those of the framework's own."""
    codes = {"method_not_allowed"}
    for path in WEB.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or len(call.args) < 2:
                continue
            if isinstance(call.func, ast.Name) and call.func.id == "ProblemError":
                texts = [n.value for n in ast.walk(call.args[1]) if isinstance(n, ast.Constant)]
                codes |= {text for text in texts if isinstance(text, str)}
    return codes


def _codes_of_the_page() -> set[str]:
    """Every code that its scripts make up by themselves."""
    texts = [path.read_text(encoding="utf-8") for path in (WEB / "static").rglob("*.js")]
    return {code for text in texts for code in re.findall(r'\bcode: "(\w+)"', text)}


@pytest.mark.parametrize("language", pages.LANGUAGES)
def test_every_fault_has_a_sentence(language: str) -> None:
    server, own = _codes_of_the_server(), _codes_of_the_page()
    assert {"too_large", "too_long", "unusable_audio", "busy", "cross_site"} <= server
    assert {"unreachable", "too_large_elsewhere", "unreadable"} <= own
    told = {key.removeprefix("fault.") for key in pages.texts(language) if key.startswith("fault.")}
    assert told == server | own


def test_no_words_stand_in_the_page_or_its_scripts() -> None:
    text = re.sub(r"<svg hidden>.*?</svg>|<[^>]*>|\{\{[\w.]+\}\}", " ", PAGE, flags=re.S)
    assert set(re.findall(r"[A-Za-z]{2,}", text)) <= {"Genrescope", "dB"}


@pytest.mark.slow
def test_text_is_packed_for_who_takes_that(client: httpx.Client) -> None:
    paths = ["/", "/static/app.js", "/static/style.css", "/static/strings.de.js"]
    for path in paths:
        plain = client.get(path, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        with client.stream("GET", path, headers={"Accept-Encoding": "br, gzip"}) as packed:
            raw = b"".join(packed.iter_raw())
        assert packed.headers["content-encoding"] == "gzip"
        assert "Accept-Encoding" in packed.headers["vary"]
        assert gzip.decompress(raw) == plain.content
        assert len(raw) < 0.6 * len(plain.content)
        assert packed.headers["etag"] != plain.headers["etag"]
        for etag, encoding in ((packed.headers["etag"], "gzip"), (plain.headers["etag"], "")):
            headers = {"If-None-Match": f"W/{etag}", "Accept-Encoding": encoding}
            assert client.get(path, headers=headers).status_code == 304
    refused = client.get("/", headers={"Accept-Encoding": "gzip;q=0, identity"})
    assert "content-encoding" not in refused.headers


def test_the_first_paint_needs_the_page_and_one_style_sheet(client: httpx.Client) -> None:
    page = client.get("/").text
    assert re.findall(r'<link rel="stylesheet" href="([^"]+)"', page) == ["/static/style.css"]
    assert re.findall(r"<script([^>]*)>", page) == [' type="module" src="/static/app.js"']
    with client.stream("GET", "/", headers={"Accept-Encoding": "gzip"}) as answer:
        first = sum(len(chunk) for chunk in answer.iter_raw())
    assert first < 14_000  # what a new connection sends before it must wait for the other side


def test_every_part_of_the_style_sheet_is_in_it(client: httpx.Client) -> None:
    parts = [path.stem for path in (WEB / "static" / "css").iterdir()]
    assert sorted(parts) == sorted(pages.STYLES)
    assert client.get("/static/css/base.css").status_code == 404
    assert ".genre {" in client.get("/static/style.css").text


def test_templates_are_not_served_raw(client: httpx.Client) -> None:
    for name in ("index.html", "docs.html"):
        assert client.get(f"/static/{name}").status_code == 404


def test_the_reference_asks_for_nothing_that_is_gone(client: httpx.Client) -> None:
    page = client.get("/api/v1/docs").text
    asked = set(re.findall(r'(?:href|src)="(/static/[^"#]+)', page))
    assert asked
    assert {client.get(path).status_code for path in asked} == {200}
    assert "icons.svg" not in page


@pytest.mark.slow
def test_the_page_can_be_installed(client: httpx.Client) -> None:
    page = client.get("/").text
    path = re.findall(r'rel="manifest" href="([^"]+)"', page)[0]
    manifest = client.get(path)
    assert manifest.headers["content-type"] == "application/manifest+json"
    described = manifest.json()
    assert described["start_url"] == described["scope"] == "/"
    purposes = set()
    for icon in described["icons"]:
        answer = client.get(icon["src"])
        assert answer.headers["content-type"] == icon["type"]
        if icon["type"] == "image/png":
            size = int.from_bytes(answer.content[16:20], "big")
            assert icon["sizes"] == f"{size}x{size}"
        purposes.add(icon["purpose"])
    assert purposes == {"any", "maskable"}
    worker = client.get("/static/worker.js")
    assert worker.headers["service-worker-allowed"] == "/"
    shell = json.loads(re.findall(r"const SHELL = (\[.*?\]);", worker.text)[0])
    assert {"/static/app.js", "/static/style.css", "/static/strings.en.js"} <= set(shell)
    assert {client.head(path).status_code for path in shell} == {200}


@pytest.mark.parametrize("name", ["minuet", "disco", "metal"])
def test_the_samples_are_served(client: httpx.Client, name: str) -> None:
    answer = client.get(f"/static/samples/{name}.ogg")
    assert answer.headers["content-type"] == "audio/ogg"
    assert answer.content.startswith(b"OggS")
    assert f'data-sample="{name}"' in PAGE


def test_no_name_stands_twice_in_the_page() -> None:
    names = re.findall(r'\bid="([^"]+)"', PAGE)
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "path", ["../app.py", "%2e%2e/app.py", "..%2fapp.py", "/etc/passwd", "%00", "", "."]
)
def test_no_path_reaches_the_file_system(client: httpx.Client, path: str) -> None:
    answer = client.get(f"/static/{path}")
    assert answer.status_code == 404


def test_files_are_sent_once(client: httpx.Client) -> None:
    first = client.get("/static/style.css")
    assert first.headers["content-type"] == "text/css; charset=utf-8"
    again = client.get("/static/style.css", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    ["/", "/static/style.css", "/favicon.ico", "/metrics",
     *(f"/api/v1/{name}" for name in ("docs", "bundle", "healthz", "openapi.json"))],
)  # fmt: skip
def test_what_can_be_read_can_be_looked_at(client: httpx.Client, path: str) -> None:
    answer = client.head(path)
    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["content-type"] == client.get(path).headers["content-type"]


def test_the_page_holds_nothing_inline_and_nothing_from_elsewhere(client: httpx.Client) -> None:
    web = Path(pages.__file__).parent
    texts = [f for kind in ("js", "css", "html", "json", "svg") for f in web.rglob(f"*.{kind}")]
    assert len(texts) > 20
    for page in (client.get("/").text, client.get("/api/v1/docs").text):
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)
    for file in texts:
        text = file.read_text(encoding="utf-8")
        outside = re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"'`]*", re.sub(r"^\s*//.*", "", text))
        assert [url for url in outside if "www.w3.org" not in url] == [], file.name
