"""The page as files for a host that serves files and nothing else.

Genres are then named by the visitor's own browser: the scripts under ``static/local`` do what
`genrescope.model` does, and ONNX Runtime runs the bundle's net there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genrescope import __version__
from genrescope.errors import ReasonedError
from genrescope.files import atomic_folder
from genrescope.model.bundle import Bundle
from genrescope.web import pages
from genrescope.web.halved import halve
from genrescope.web.local import MAX_S, settings
from genrescope.web.uncast import without_casts

ORT = Path(__file__).parents[2] / "page" / "node_modules" / "onnxruntime-web" / "dist"
"""Where ``npm ci --prefix page`` puts ONNX Runtime in a clone."""

ORT_FILES = {"ort.wasm.bundle.min.mjs": "ort.js", "ort-wasm-simd-threaded.wasm": "ort.wasm"}
"""Names there, and in the site: some hosts do not know what an mjs is."""

POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
    "img-src 'self' data:; media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; "
    "worker-src 'self' blob:; base-uri 'none'; form-action 'none'"
)
"""What the page may do: run its own scripts, and ask nobody but its own host."""

MAX_BYTES = 512 << 20
"""Largest file that a browser is asked to read."""

_MARK = "static/site.json"


class SiteError(ReasonedError):
    """A site that cannot be written as asked."""


@dataclass(frozen=True)
class Site:
    """A site that was written.

    Attributes:
        folder: where.
        n_files: how many files it has.
        n_bytes: what they weigh.
    """

    folder: Path
    n_files: int
    n_bytes: int


def export_site(folder: Path, *, bundles: Sequence[Bundle], ort: Path) -> Site:
    """Write the page that needs no server.

    Args:
        folder: new, empty, or a site of before, which is replaced.
        bundles: what names the genres: one, or several to choose from, the usual one first.
        ort: the folder ``dist`` of the npm package onnxruntime-web.

    Raises:
        SiteError: the folder is a link or holds something else, ONNX Runtime is not there, a
            browser does not compute what a bundle's front end asks for, or two bundles have one
            name.
        BundleError: a file of a bundle is not what its hash says.
    """
    whole = site_files(bundles, ort=ort)
    if folder.is_symlink():
        raise SiteError(str(folder), "it is a link, which is not replaced", "Name a new folder.")
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARK).is_file():
        raise SiteError(str(folder), "it holds something else than a site", "Name a new folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with atomic_folder(folder) as part:
        for name, body in whole.items():
            path = part / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
    return Site(folder, len(whole), sum(map(len, whole.values())))


def site_files(bundles: Sequence[Bundle], *, ort: Path, server: str = "") -> dict[str, bytes]:
    """Every file of the site, by its path in it.

    Args:
        bundles, ort: as of `export_site`.
        server: address, seen from the site, of the page that asks a server, where there is one.

    Raises like `export_site`.
    """
    names = [name_of(bundle) for bundle in bundles]
    for bundle in bundles:
        _check_front_end(bundle)
        if names.count(name_of(bundle)) > 1:
            raise SiteError(
                str(bundle.path), "another bundle has this name too", "Rename one of the folders."
            )
    runtime = {name: _runtime(ort, source) for source, name in ORT_FILES.items()}
    return _files(bundles, runtime, server)


def name_of(bundle: Bundle) -> str:
    """What a page calls it, here as on a server: the name of its folder."""
    return bundle.path.resolve().name


def runs_in_browser(bundle: Bundle) -> bool:
    """Whether the page computes what the bundle's front end asks for."""
    config = bundle.features
    return config.kind == "mel" and config.n_fft >= 4 and not config.n_fft & (config.n_fft - 1)


def _check_front_end(bundle: Bundle) -> None:
    config = bundle.features
    if not runs_in_browser(bundle):
        raise SiteError(
            str(bundle.path),
            f"its front end ({config.kind}, n_fft {config.n_fft}) is none that the page computes",
            "Take a bundle with mel bands and an n_fft that is a power of two.",
        )


def _runtime(ort: Path, name: str) -> bytes:
    try:
        return (ort / name).read_bytes()
    except OSError as error:
        raise SiteError(
            str(ort / name),
            f"ONNX Runtime for browsers cannot be read ({error.strerror})",
            "In a clone of Genrescope run npm ci --prefix page; elsewhere name its folder dist "
            "with --ort.",
        ) from error


def _files(bundles: Sequence[Bundle], runtime: dict[str, bytes], server: str) -> dict[str, bytes]:
    static = {name: each.body for name, each in pages.shared_files().items()}
    static["api.js"] = b'export * from "./faults.js";\nexport * from "./local/computer.js";\n'
    static["app.webmanifest"] = _manifest(static["app.webmanifest"])
    static |= {f"ort/{name}": body for name, body in runtime.items()}
    bundled: dict[str, bytes] = {}
    models = [_publish(bundle, f"bundle/{i}/", bundled) for i, bundle in enumerate(bundles)]
    described = {
        "version": __version__,
        "settings": settings(),
        "limits": {"upload_bytes": MAX_BYTES, "audio_s": MAX_S},
        "ort_sha256": hashlib.sha256(runtime["ort.wasm"]).hexdigest(),
        "bundles": models,
    }
    static["site.json"] = json.dumps(described, allow_nan=False).encode()
    strings = {language: texts(language) for language in pages.LANGUAGES}
    for language, words in strings.items():
        static[f"strings.{language}.js"] = pages.script_of(words).body
    found: dict[str, bytes] = {}
    for language, words in strings.items():
        elsewhere = f"{server}?lang={language}" if server else ""
        other = page_name(words["language.other"])
        place = replace(_PLACE, translation=other, elsewhere=elsewhere)
        page = pages.page(language, words, scripts=_preloaded(set(static)), place=place)
        found[page_name(language)] = page.body
    found |= {f"static/{name}": body for name, body in static.items()}
    found |= bundled
    found["worker.js"] = _worker(found)
    found[".nojekyll"] = b""  # GitHub's pages would else leave names out
    return found


_PLACE = pages.Place(
    root="./",
    worker="worker.js",
    runs="computer",
    policy=f'<meta http-equiv="Content-Security-Policy" content="{POLICY}" />\n    '
    '<meta name="referrer" content="no-referrer" />\n    ',
)


def _preloaded(names: set[str]) -> set[str]:
    """Scripts of the page itself; those of the worker load when it does."""
    of_page = {"local/computer.js", *pages.SHARED_LOCAL}
    return {name for name in names if not name.startswith(("local/", "ort/")) or name in of_page}


def page_name(language: str) -> str:
    """The page in a language; the first one is what visitors come to."""
    return "index.html" if language == pages.LANGUAGES[0] else f"{language}.html"


def texts(language: str) -> dict[str, str]:
    """All that the page says where there is no server."""
    path = Path(pages.__file__).parent / "strings" / "local" / f"{language}.json"
    return {**pages.texts(language), **json.loads(path.read_text(encoding="utf-8"))}


def _manifest(raw: bytes) -> bytes:
    described = json.loads(raw)
    for key in ("id", "start_url", "scope"):
        described[key] = "../"
    for icon in described["icons"]:
        icon["src"] = icon["src"].removeprefix("/static/")
    return json.dumps(described, indent=2).encode()


def _publish(bundle: Bundle, folder: str, bundled: dict[str, bytes]) -> dict[str, Any]:
    """Add a bundle's files to those that are published, and say what the page reads of it.

    Nets are published at half their size, see `genrescope.web.halved`, and without what browsers
    take long to compile, see `genrescope.web.uncast`. What two bundles share is published once.
    """
    files: dict[str, Any] = {}
    contents = {"bundle.json": (bundle.path / "bundle.json").read_bytes()}
    for name, body in (contents | {name: bundle.read(name) for name in bundle.files}).items():
        is_net = name.endswith(".onnx")
        published, stretches = halve(without_casts(body)) if is_net else (body, [])
        own = folder + name.replace(".onnx", ".half")
        path = next((path for path, other in bundled.items() if other == published), own)
        bundled[path] = published
        sha256 = hashlib.sha256(published).hexdigest()
        files[name] = {"path": path, "sha256": sha256, "stretches": stretches}
    return {
        "name": name_of(bundle),
        "facts": {"name": bundle.name, "labels": bundle.labels, "metrics": bundle.metrics},
        "files": files,
    }


def _worker(found: dict[str, bytes]) -> bytes:
    """The service worker, whose version is made of every file."""
    hashes = "".join(hashlib.sha256(found[name]).hexdigest() for name in sorted(found))
    shown = ["./", *(name for name in sorted(found) if name != "index.html")]
    return pages.service_worker("offline.js", made_of=hashes, files=shown)
