"""How quickly the page without a server loads and answers, and what memory it takes.

    python -m benchmarks.browser

It needs Chromium, playwright (the extra ``dev``) and ``npm ci --prefix page``. Loading is measured
with an empty cache at 20 Mbit/s, as the host of a site sends it when it packs with gzip.
"""

from __future__ import annotations

import contextlib
import gzip
import http.server
import os
import shutil
import tempfile
import threading
import time
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from playwright.sync_api import Page, sync_playwright

from genrescope.model.bundle import Bundle, shipped_bundles
from genrescope.web.site import ORT, export_site

MBIT_S = 20
ANSWERED = ((30, "mp3"), (200, "mp3"), (600, "mp3"), (600, "wav"))
AFTER_S = 10  # that the page is watched after its answer
SR = 44_100


@cache
def _packed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), 6)


class _Packing(http.server.SimpleHTTPRequestHandler):
    """Sends files packed, as hosts of static sites do."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file():
            return self.send_error(404)
        body = _packed(path)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):  # the page was closed meanwhile
            self.wfile.write(body)
        return None

    def log_message(self, *_: Any) -> None:
        pass


def _memory_mb(pid: int) -> float:
    """Proportional share of memory of the renderer that a process is, MB; Linux alone."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def _renderers() -> list[int]:
    """Processes below this one that show pages."""
    parents, shows = {}, []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if b"--type=renderer" in (path / "cmdline").read_bytes():
                shows.append(int(path.name))
        except OSError:  # it has ended meanwhile
            continue

    def is_ours(pid: int) -> bool:
        return pid == os.getpid() or (pid in parents and is_ours(parents[pid]))

    return [pid for pid in shows if is_ours(pid)]


def _page_mb() -> float:
    """Memory of the process that shows the page, MB.

    It is the largest: Chromium keeps others ready for whatever page may come next.
    """
    found = [0.0]
    for pid in _renderers():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            found.append(_memory_mb(pid))
    return max(found)


class _Peak:
    """The most memory that the page took while it was watched."""

    def __init__(self) -> None:
        self.mb = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> _Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.1):
            self.mb = max(self.mb, _page_mb())


def _music(seconds: float, form: str) -> bytes:
    """A stereo file of tones and noise, of as much work as music."""
    rng = np.random.default_rng(0)
    t = np.arange(round(seconds * SR)) / SR
    x = 0.2 * np.sin(2 * np.pi * 220 * t)[:, None] + 0.05 * rng.standard_normal((len(t), 2))
    with tempfile.NamedTemporaryFile(suffix=f".{form}") as file:
        soundfile.write(file.name, x.astype(np.float32), SR, format=form.upper())
        return Path(file.name).read_bytes()


def _answer(page: Page, seconds: int, form: str, folder: Path) -> None:
    path = folder / f"{seconds}.{form}"
    path.write_bytes(_music(seconds, form))
    n_before = page.locator("#tries tr").count()
    before = _page_mb()
    with _Peak() as peak:
        began = time.monotonic()
        page.set_input_files("#file", path)
        page.locator("#tries tr").nth(n_before).wait_for(state="attached", timeout=300_000)
        took = time.monotonic() - began
        page.wait_for_timeout(AFTER_S * 1000)  # its picture and its replay are made ready
    path.unlink()
    print(f"{seconds} s of {form}: {took:.1f} s, {before:.0f} MB before, at most {peak.mb:.0f} MB")


def main() -> None:
    """Print a line for loading and for each length."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        bundles = [Bundle.load(path) for path in shipped_bundles()]
        site = export_site(folder / "site", bundles=bundles, ort=ORT)
        packed = {p: len(_packed(p)) for p in site.folder.rglob("*.*")}
        print(f"site: {site.n_bytes / 1e6:.1f} MB, packed {sum(packed.values()) / 1e6:.1f} MB")
        handler = partial(_Packing, directory=str(site.folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        session = page.context.new_cdp_session(page)
        speed = MBIT_S * 1e6 / 8
        conditions = {"offline": False, "latency": 20, "downloadThroughput": speed}
        session.send("Network.emulateNetworkConditions", {**conditions, "uploadThroughput": speed})
        began = time.monotonic()
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        page.locator("#version", has_text="0.").wait_for(timeout=120_000)
        print(f"loaded, ready to answer: {time.monotonic() - began:.1f} s")
        page.wait_for_timeout(5000)
        for seconds, form in ANSWERED:
            _answer(page, seconds, form, folder)
        browser.close()
        server.shutdown()


if __name__ == "__main__":
    main()
