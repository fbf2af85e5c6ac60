"""What the tests of the page share: opening it, recording, sending files, what may not happen."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile as sf
from numpy.typing import NDArray
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, expect
from web.serving import Running, music, wav

RESULT_MS = 60_000  # a machine may be busy; how quick it is, the benchmarks say

PHONE = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}
ON_ITS_SIDE = {**PHONE, "viewport": {"width": 844, "height": 390}}
TABLET = {"viewport": {"width": 820, "height": 1180}, "has_touch": True}
TABLET_ON_ITS_SIDE = {"viewport": {"width": 1180, "height": 820}, "has_touch": True}
DESK = {"viewport": {"width": 1280, "height": 900}}
WIDE = {"viewport": {"width": 1700, "height": 1000}}
DARK = {**DESK, "color_scheme": "dark"}
FORCED = {**DESK, "forced_colors": "active"}
SCREENS = {
    "phone": PHONE,
    "phone on its side": ON_ITS_SIDE,
    "tablet": TABLET,
    "tablet on its side": TABLET_ON_ITS_SIDE,
    "desk": DESK,
    "wide": WIDE,
    "dark": DARK,
    "forced colours": FORCED,
}


def launch(playwright: Playwright, chromium: str, *more: str) -> Browser:
    quiet = ("background-networking", "component-update", "sync", "gpu")
    flags = ["--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in quiet), *more]
    return playwright.chromium.launch(executable_path=chromium, args=flags)


class Watch:
    """What must not happen on a page: errors, and requests to anyone else."""

    def __init__(self, page: Page, url: str) -> None:
        self.troubles: list[str] = []
        self._own = (url, f"blob:{url}", "data:")
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("request", lambda request: self._request(request.url))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(message.text)

    def _request(self, url: str) -> None:
        if not url.startswith(self._own):
            self.troubles.append(f"request to {url}")


def opened(browser: Browser, server: Running, **context: Any) -> tuple[Page, Watch]:
    page = browser.new_context(**context).new_page()
    watch = Watch(page, server.url)
    page.goto(server.url)
    expect(page.locator("#record")).to_be_visible()
    expect(page.locator("#version")).to_contain_text("Genrescope 0.")  # its script has run
    return page, watch


@dataclass(frozen=True)
class Recording:
    """A file to send."""

    name: str
    data: bytes

    def payload(self) -> dict[str, Any]:
        return {"name": self.name, "mimeType": "audio/wav", "buffer": self.data}


def song(seconds: float = 4, name: str = "a.wav", *, sr: int = 22_050) -> Recording:
    return Recording(name, wav(music(seconds, sr=sr), sr=sr))


def tone(seconds: float = 12, name: str = "tone.wav") -> Recording:
    """What is no music: a pure tone."""
    t = np.arange(round(seconds * 22_050)) / 22_050
    return Recording(name, wav((0.3 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)))


def with_a_rest(name: str = "rest.wav") -> Recording:
    """Music with three seconds of silence in the middle."""
    rest = np.zeros((3 * 22_050, 2), np.float32)
    return Recording(name, wav(np.concatenate([music(5), rest, music(4)])))


def send(page: Page, *recordings: Recording) -> None:
    page.set_input_files("#file", [recording.payload() for recording in recordings])  # type: ignore[arg-type]


def uploaded(page: Page, recording: Recording | None = None) -> None:
    """Sends one file and waits for the whole answer, the more beautiful version included."""
    send(page, recording or song())
    expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)
    expect(page.get_by_role("radio", name="More beautiful")).to_be_enabled(timeout=RESULT_MS)


def record(page: Page) -> None:
    """From Start, or Record again, to the result, by keyboard."""
    page.keyboard.press("Enter")
    button = page.get_by_role("button", name="Stop")
    expect(button).to_be_focused()
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_attribute("aria-disabled", "false")
    page.keyboard.press("Enter")
    expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)


_CONTROLLED = """([address, most]) => new Promise((done, fail) => {
  const worker = navigator.serviceWorker;
  const look = () => worker.controller?.scriptURL.endsWith(address) && done();
  worker.addEventListener("controllerchange", look);
  setTimeout(() => fail(new Error("no service worker took the page")), most);
  look();
})"""


def controlled(page: Page, address: str = "worker.js") -> None:
    """Waits until the service worker of that address has the page, and has kept its files."""
    page.evaluate(_CONTROLLED, [address, RESULT_MS])


def no_sideways_scroll(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def samples_of(path: Any) -> NDArray[np.float64]:
    """The samples of a sound file, whatever is in it."""
    with open(path, "rb") as file:  # noqa: PTH123
        samples, _ = sf.read(io.BytesIO(file.read()))
    return samples
