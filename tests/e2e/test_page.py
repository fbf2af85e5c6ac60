"""The page in a real browser, whose microphone hears a real clip."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import soundfile as sf
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Playwright,
    Route,
    expect,
    sync_playwright,
)
from web.serving import Running, music, serve, wav

from genrescope.web.app import create_app
from genrescope.web.limits import Limits

pytestmark = pytest.mark.e2e

SHARED_CLIP = Path(__file__).resolve().parents[3] / "shared/data/clips/vibe_ace.ogg"
RESULT_MS = 60_000  # a machine may be busy; how quick it is, the benchmarks say


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("needs Chromium, which is not on the PATH")
    return found


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the microphone hears: a clip where the shared data are, else music made here."""
    path = tmp_path_factory.mktemp("microphone") / "heard.wav"
    if SHARED_CLIP.exists():
        samples, sr = sf.read(SHARED_CLIP, stop=44_100 * 20)
        sf.write(path, samples, sr, subtype="PCM_16")
    else:
        path.write_bytes(wav(music(20, sr=44_100), sr=44_100))
    return path


@pytest.fixture(scope="module")
def server(tiny_bundle: Path) -> Iterator[Running]:
    with serve(create_app(bundle=tiny_bundle, limits=Limits(upload_bytes=2 * 2**20))) as running:
        yield running


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


def launch(playwright: Playwright, chromium: str, *more: str) -> Browser:
    quiet = ("background-networking", "component-update", "sync", "gpu")
    flags = ["--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in quiet), *more]
    return playwright.chromium.launch(executable_path=chromium, args=flags)


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


def opened(browser: Browser, server: Running, **context: object) -> tuple[Page, Watch]:
    page = browser.new_context(**context).new_page()  # type: ignore[arg-type]
    watch = Watch(page, server.url)
    page.goto(server.url)
    expect(page.get_by_role("button", name="Start")).to_be_visible()
    return page, watch


def record(page: Page) -> None:
    """From Start, or Record again, to the result, by keyboard."""
    page.keyboard.press("Enter")
    button = page.get_by_role("button", name="Stop")
    expect(button).to_be_focused()
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_attribute("aria-disabled", "false", timeout=6_000)
    page.keyboard.press("Enter")
    expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)


def no_sideways_scroll(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_record_and_enjoy(browser: Browser, server: Running) -> None:
    page, watch = opened(browser, server)
    page.get_by_role("button", name="Start").focus()
    record(page)
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.get_by_role("status").last).not_to_be_empty()

    bars = page.get_by_role("list", name="All ten genres").get_by_role("listitem")
    expect(bars).to_have_count(10)
    first = page.get_by_role("heading", level=1).inner_text()
    assert bars.first.inner_text().startswith(first)
    expect(page.get_by_role("img", name="Mel spectrogram")).to_be_visible()

    original, polished = page.locator("#original"), page.locator("#polished")
    expect(original.get_by_role("button", name="Play")).to_be_enabled(timeout=RESULT_MS)
    expect(polished.get_by_role("button", name="Play")).to_be_enabled(timeout=RESULT_MS)
    for player in (original, polished):
        duration = player.locator("audio").evaluate("a => a.duration")
        assert 2.5 < duration < 8
    expect(polished).to_contain_text("LUFS")
    with page.expect_download() as download:
        polished.get_by_role("link", name="Download").click()
    samples, _ = sf.read(download.value.path())
    assert samples.ndim == 2
    assert abs(samples).max() > 0.05

    tracks = page.get_by_role("list").filter(has=page.get_by_text("alike")).get_by_role("link")
    expect(tracks.first).to_have_attribute("rel", "noopener noreferrer")
    assert 1 < tracks.count() <= 6

    page.get_by_role("button", name="Record again").first.focus()
    record(page)
    expect(bars).to_have_count(10)
    assert watch.troubles == []
    page.context.close()


def test_a_file_its_timeline_and_the_comparison(browser: Browser, server: Running) -> None:
    page, watch = opened(browser, server, reduced_motion="reduce", color_scheme="dark")
    song = wav(music(12))
    page.set_input_files("#file", {"name": "a.wav", "mimeType": "audio/wav", "buffer": song})
    expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)
    original, polished = page.locator("#original audio"), page.locator("#polished audio")
    compare = page.get_by_role("button", name="Compare")
    expect(compare).to_be_visible(timeout=RESULT_MS)

    page.get_by_role("slider", name="Position in your sound").fill("6")
    assert original.evaluate("a => a.currentTime") == pytest.approx(6, abs=0.1)
    compare.click()
    expect(page.get_by_role("button", name="Pause the more beautiful version")).to_be_visible()
    assert polished.evaluate("a => a.currentTime") >= 5.9
    assert original.evaluate("a => a.paused")

    page.locator(".stretch").first.click()
    page.wait_for_function("document.querySelector('#polished audio').currentTime < 5")
    assert watch.troubles == []
    page.context.close()


def test_what_cannot_be_used_is_said_in_words(browser: Browser, server: Running) -> None:
    page, _ = opened(browser, server)
    trouble = page.get_by_role("alert")
    for name, content, words in (
        ("words.txt", b"These are words.", "words.txt"),
        ("large.wav", b"x" * (3 * 2**20), "up to 2 MB"),
        ("empty.wav", b"", "empty"),
    ):
        file = {"name": name, "mimeType": "audio/wav", "buffer": content}
        page.set_input_files("#file", file)
        expect(trouble).to_contain_text(words)
    page.get_by_role("button", name="Record instead").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Start")).to_be_focused()
    page.context.close()


def test_what_stands_between_may_be_tried_again(browser: Browser, server: Running) -> None:
    page, _ = opened(browser, server)
    retry = page.get_by_role("button", name="Try again")
    song = {"name": "a.wav", "mimeType": "audio/wav", "buffer": wav(music(4))}
    for status in (429, 404):
        answer = partial(Route.fulfill, status=status)
        page.route("**/api/v1/classify", lambda route, _, answer=answer: answer(route))
        page.set_input_files("#file", song)
        expect(retry).to_be_visible()
        page.unroute("**/api/v1/classify")
        retry.click()
        expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)
    page.context.close()


def test_a_server_that_falls_silent_is_given_up(browser: Browser, server: Running) -> None:
    page = browser.new_context().new_page()
    page.clock.install()
    page.goto(server.url)
    page.route("**/api/v1/classify", lambda route: None)  # no answer, ever
    song = {"name": "a.wav", "mimeType": "audio/wav", "buffer": wav(music(4))}
    page.set_input_files("#file", song)
    expect(page.get_by_text("Listening to “a.wav”.").first).to_be_visible()
    page.clock.fast_forward(121_000)
    expect(page.get_by_role("alert")).to_contain_text("The server did not answer")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    page.context.close()


SLOW_ANSWER = """async () => {
  window.XMLHttpRequest = class extends EventTarget {
    upload = new EventTarget();
    status = 200;
    response = new Blob(["music"]);
    open() { window.request = this; }
    send() {}
    abort() {}
    getResponseHeader() { return null; }
  };
  const { polish } = await import("/static/api.js");
  window.outcome = polish({ blob: new Blob(["music"]), name: "a.wav" })
    .then(({ blob }) => `${blob.size} bytes`)
    .catch((error) => error.code);
}"""


@pytest.mark.parametrize("comes", [True, False])
def test_a_long_answer_is_waited_for_while_it_comes(
    browser: Browser, server: Running, comes: bool
) -> None:
    page = browser.new_context().new_page()
    page.clock.install()
    page.goto(server.url)
    page.evaluate(SLOW_ANSWER)
    for _ in range(4):
        page.clock.run_for(60_000)
        if comes:
            page.evaluate("request.dispatchEvent(new ProgressEvent('progress'))")
    page.evaluate("request.dispatchEvent(new ProgressEvent('load'))")
    assert page.evaluate("outcome") == ("5 bytes" if comes else "unreachable")
    page.context.close()


WORDS = """async () => {
  const { honesty, others } = await import("/static/words.js");
  const row = (protocol, part) =>
    ({ protocol, part, level: "track", n: 50, accuracy: 0.7, low: 0.6, high: 0.8 });
  const told = (...metrics) => honesty({ metrics, labels: ["a", "b", "c"] });
  return [
    told(row("fault-filtered", "valid"), row("artists", "test")),
    told(row("tracks", "test")),
    told(row("windows", "test")),
    others(["a", "b"], [], 3),
    others(["a", "b", "c"], [], 3),
  ];
}"""


def test_its_words_say_what_the_figures_say(browser: Browser, server: Running) -> None:
    page, _ = opened(browser, server)
    artists, tracks, windows, some, every = page.evaluate(WORDS)
    assert "70.0\N{NO-BREAK SPACE}% of 50 tracks by artists they had never heard" in artists
    assert "they had never heard, some by artists they had" in tracks
    assert windows == "It knows 3 genres and names one of them whatever it hears."
    assert some == "Nine times in ten it is one of these: A or B."
    assert every == ""
    page.context.close()


def test_it_stops_by_itself(browser: Browser, server: Running) -> None:
    page = browser.new_context().new_page()
    page.clock.install()
    page.goto(server.url)
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.wait_for_timeout(1_000)  # what it has really heard by then
    page.clock.fast_forward(31_000)
    expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)
    page.context.close()


def uploaded(page: Page, seconds: float = 4) -> None:
    song = {"name": "a.wav", "mimeType": "audio/wav", "buffer": wav(music(seconds))}
    page.set_input_files("#file", song)
    expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)


def test_half_an_answer_may_be_tried_again(browser: Browser, server: Running) -> None:
    page, _ = opened(browser, server)
    for path in ("polish", "similar"):
        page.route(f"**/api/v1/{path}", lambda route: route.abort())
    uploaded(page)
    polished, similar = page.locator("#polished"), page.locator("#similar")
    for half in (polished, similar):
        expect(half).to_contain_text("The server did not answer", timeout=RESULT_MS)
    page.unroute_all()
    polished.get_by_role("button", name="Try again").click()
    expect(polished.get_by_role("button", name="Play")).to_be_enabled(timeout=RESULT_MS)
    similar.get_by_role("button", name="Try again").click()
    expect(similar.get_by_role("link").first).to_be_visible(timeout=RESULT_MS)
    page.context.close()


def test_a_result_stays_until_another_sound_is_sent(browser: Browser, server: Running) -> None:
    page, watch = opened(browser, server)
    uploaded(page)
    genre = page.locator("#genre").inner_text()
    page.get_by_role("button", name="Record again").first.click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", level=1, name=genre)).to_be_visible()
    expect(page.get_by_role("button", name="Record again").first).to_be_focused()
    for player in ("#original", "#polished"):
        play = page.locator(player).get_by_role("button", name="Play")
        expect(play).to_be_enabled(timeout=RESULT_MS)
    assert watch.troubles == []
    page.context.close()


HOLD_BACK = """() => document.addEventListener(
  "change",
  (event) => {
    event.stopImmediatePropagation();
    window.size = event.target.files[0].size; // from now on the browser knows it
  },
  { capture: true, once: true },
)"""


def test_a_file_that_is_gone_is_no_fault_of_the_server(
    browser: Browser, server: Running, tmp_path: Path
) -> None:
    page, _ = opened(browser, server)
    path = tmp_path / "gone.wav"
    path.write_bytes(wav(music(4)))
    page.evaluate(HOLD_BACK)
    page.set_input_files("#file", path)
    path.unlink()
    page.evaluate("document.querySelector('#file').dispatchEvent(new Event('change'))")
    trouble = page.get_by_role("alert")
    expect(trouble).to_contain_text("cannot be read", timeout=RESULT_MS)
    expect(trouble.get_by_role("button", name="Try again")).to_have_count(0)
    page.context.close()


@pytest.mark.parametrize("points", [16, 24])
def test_the_narrowest_screen_and_large_letters_fit(
    browser: Browser, server: Running, points: int
) -> None:
    page, _ = opened(browser, server, viewport={"width": 320, "height": 568})
    page.evaluate(f"document.documentElement.style.fontSize = '{points}px'")
    assert no_sideways_scroll(page)
    uploaded(page)
    expect(page.get_by_role("link", name="Download")).to_be_visible(timeout=RESULT_MS)
    expect(page.get_by_role("link", name="search for it").first).to_be_visible(timeout=RESULT_MS)
    assert no_sideways_scroll(page)
    page.context.close()


def test_a_phone(browser: Browser, server: Running) -> None:
    page, watch = opened(
        browser,
        server,
        viewport={"width": 360, "height": 640},
        has_touch=True,
        is_mobile=True,
        device_scale_factor=2,
    )
    assert no_sideways_scroll(page)
    button = page.get_by_role("button", name="Start")
    assert button.bounding_box()["y"] + button.bounding_box()["height"] < 640  # type: ignore[index]
    button.tap()
    expect(page.locator("#record")).to_have_attribute("aria-disabled", "false", timeout=6_000)
    assert no_sideways_scroll(page)
    page.get_by_role("button", name="Stop").tap()
    expect(page.get_by_role("link", name="search for it").first).to_be_visible(timeout=RESULT_MS)
    assert no_sideways_scroll(page)
    assert watch.troubles == []
    page.context.close()


def test_a_microphone_that_is_denied(
    playwright: Playwright, chromium: str, server: Running
) -> None:
    browser = launch(
        playwright, chromium, "--use-fake-device-for-media-stream", "--deny-permission-prompts"
    )
    page, watch = opened(browser, server)
    page.get_by_role("button", name="Start").click()
    trouble = page.get_by_role("alert")
    expect(trouble).to_contain_text("not allowed")
    expect(trouble).to_be_focused()
    with page.expect_file_chooser():
        trouble.get_by_role("button", name="Choose a file").click()
    assert watch.troubles == []
    browser.close()
