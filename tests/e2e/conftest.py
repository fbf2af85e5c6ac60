"""A real browser, whose microphone hears a real clip, and a server of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile as sf
from e2e.driving import launch
from playwright.sync_api import Browser, Playwright, expect, sync_playwright
from web.serving import Running, music, serve, wav

from genrescope.web.app import create_app
from genrescope.web.limits import Limits

expect.set_options(timeout=20_000)  # ms; a busy machine is no failure

SHARED_CLIP = Path(__file__).resolve().parents[3] / "shared/data/clips/vibe_ace.ogg"


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser; without a window of its own, where it is there, it takes half the time."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("needs Chromium, which is not on the PATH")
    return found


@pytest.fixture(scope="session")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the microphone hears: a clip where the shared data are, else music made here."""
    path = tmp_path_factory.mktemp("microphone") / "heard.wav"
    if SHARED_CLIP.exists():
        samples, sr = sf.read(SHARED_CLIP, stop=44_100 * 20)
        sf.write(path, samples, sr, subtype="PCM_16")
    else:
        path.write_bytes(wav(music(20, sr=44_100), sr=44_100))
    return path


@pytest.fixture(scope="session")
def page_server(tiny_bundle: Path) -> Iterator[Running]:
    """Serves the page; takes up to 2 MB."""
    with serve(create_app(bundle=tiny_bundle, limits=Limits(upload_bytes=2 * 2**20))) as running:
        yield running


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    # Not for longer than a module: it keeps an event loop running in this thread.
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browser(playwright: Playwright, chromium: str, heard: Path) -> Iterator[Browser]:
    browser = launch(
        playwright,
        chromium,
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={heard}",
        "--autoplay-policy=no-user-gesture-required",
    )
    yield browser
    browser.close()
