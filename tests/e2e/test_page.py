"""The page as a listener uses it: recording, files, what goes wrong, and that nothing is lost."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from e2e.driving import (
    ON_ITS_SIDE,
    PHONE,
    RESULT_MS,
    Recording,
    no_sideways_scroll,
    opened,
    record,
    samples_of,
    send,
    song,
    tone,
    uploaded,
)
from playwright.sync_api import Browser, Route, expect
from web.serving import Running

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_record_and_enjoy(browser: Browser, page_server: Running) -> None:
    page, watch = opened(browser, page_server)
    page.get_by_role("button", name="Start").focus()
    record(page)
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.locator("#status")).not_to_be_empty()

    bars = page.get_by_role("list", name="All ten genres").get_by_role("listitem")
    expect(bars).to_have_count(10)
    first = page.get_by_role("heading", level=1).inner_text()
    assert bars.first.inner_text().startswith(first)
    assert page.title().startswith(first)
    expect(page.get_by_role("img", name="Mel spectrogram")).to_be_visible()

    expect(page.get_by_role("radio", name="More beautiful")).to_be_enabled(timeout=RESULT_MS)
    for version in ("original", "polished"):
        assert 2.5 < page.locator(f"#audio-{version}").evaluate("a => a.duration") < 8
    with page.expect_download() as original:
        page.get_by_role("link", name="Save the original").click()
    assert original.value.suggested_filename == "recording.webm"
    with page.expect_download() as polished:
        page.get_by_role("link", name="Save the more beautiful version").click()
    assert polished.value.suggested_filename == "recording (more beautiful).ogg"
    samples = samples_of(polished.value.path())
    assert samples.ndim == 2
    assert abs(samples).max() > 0.05

    tracks = page.locator("#tracks").get_by_role("link")
    expect(tracks.first).to_have_attribute("rel", "noopener noreferrer")
    assert tracks.count() <= 6

    page.get_by_role("button", name="Record again").first.focus()
    record(page)
    expect(bars).to_have_count(10)
    expect(page.get_by_role("button", name="Play Recording at")).to_have_count(2)
    assert watch.troubles == []
    page.context.close()


def test_one_clock_for_both_versions(browser: Browser, page_server: Running) -> None:
    page, watch = opened(browser, page_server, reduced_motion="reduce", color_scheme="dark")
    uploaded(page, song(12))
    page.get_by_role("slider", name="Position in the sound").fill("6")
    original, polished = page.locator("#audio-original"), page.locator("#audio-polished")
    assert original.evaluate("a => a.currentTime") == pytest.approx(6, abs=0.1)
    page.get_by_role("button", name="Play", exact=True).click()
    page.get_by_role("radio", name="More beautiful").check(force=True)
    page.wait_for_function("() => !document.querySelector('#audio-polished').paused")
    assert original.evaluate("a => a.paused")
    assert polished.evaluate("a => a.currentTime") >= 5.9
    now = page.locator("#now").inner_text()
    assert now in {"0:06", "0:07", "0:08", "0:09"}
    page.locator(".stretch").first.click()
    page.wait_for_function("() => document.querySelector('#audio-polished').currentTime < 5")
    assert original.evaluate("a => a.paused")

    lefts = "n => { const b = document.querySelector(n).getBoundingClientRect();"
    edges = [
        page.evaluate(f"({lefts} return [Math.round(b.left), Math.round(b.right)]; }})", selector)
        for selector in ("#scope-picture", "#timeline", "#wave", ".playhead-track")
    ]
    assert all(edge == edges[0] for edge in edges)
    assert watch.troubles == []
    page.context.close()


def test_one_upload_brings_both(browser: Browser, page_server: Running) -> None:
    page, _ = opened(browser, page_server)
    sent: list[str] = []
    page.on("request", lambda r: sent.append(r.url) if r.method == "POST" else None)
    uploaded(page)
    expect(page.locator("#tracks li").first).to_be_visible(timeout=RESULT_MS)
    names = [url.rpartition("/")[2].partition("?")[0] for url in sent]
    assert names == ["listen", "similar"]
    page.context.close()


def test_what_cannot_be_used_is_said_in_words(browser: Browser, page_server: Running) -> None:
    page, _ = opened(browser, page_server)
    trouble = page.get_by_role("alert")
    for name, content, words in (
        ("words.txt", b"These are words.", "words.txt"),
        ("large.wav", b"x" * (3 * 2**20), "the limit is 2\N{NO-BREAK SPACE}MB"),
        ("empty.wav", b"", "empty"),
    ):
        send(page, Recording(name, content))
        expect(trouble).to_contain_text(words)
        expect(page.get_by_role("button", name="Back to the result")).to_be_hidden()
    page.get_by_role("button", name="Record instead").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Start")).to_be_focused()
    page.context.close()


def test_a_bad_file_never_hides_a_good_result(browser: Browser, page_server: Running) -> None:
    page, _ = opened(browser, page_server)
    uploaded(page)
    genre = page.locator("#genre").inner_text()
    for leave in ("button", "Escape"):
        send(page, Recording("words.txt", b"These are words."))
        back = page.get_by_role("button", name="Back to the result")
        expect(back).to_be_visible()
        if leave == "button":
            back.click()
        else:
            page.keyboard.press("Escape")
        expect(page.get_by_role("heading", level=1, name=genre)).to_be_visible()
        expect(page.get_by_role("button", name="Play", exact=True)).to_be_enabled()
        expect(page.get_by_role("radio", name="More beautiful")).to_be_enabled()
        assert page.title().startswith(genre)
    page.context.close()


def test_a_recording_is_kept_when_the_server_fails(browser: Browser, page_server: Running) -> None:
    page, _ = opened(browser, page_server)
    page.route("**/api/v1/**", lambda route: route.abort())
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#record")).to_have_attribute("aria-disabled", "false")
    page.get_by_role("button", name="Stop").click()
    trouble = page.get_by_role("alert")
    expect(trouble).to_contain_text("The server did not answer", timeout=RESULT_MS)
    audio = page.locator("#trouble-audio")
    expect(audio).to_be_visible()
    page.wait_for_function("() => document.querySelector('#trouble-audio').readyState > 0")
    with page.expect_download() as download:
        trouble.get_by_role("link", name="Save the recording").click()
    assert download.value.suggested_filename == "recording.webm"
    assert Path(download.value.path()).stat().st_size > 1_000
    # And it is among the tries, from where it can be sent again, after a reload as well.
    page.reload()
    row = page.locator(".try")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("The server did not answer")
    row.get_by_role("button", name="Play Recording at").click()
    page.wait_for_function("() => !document.querySelector('#audio-try').paused")
    page.unroute_all()
    row.get_by_role("button", name="Try again").click()
    expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)
    expect(row).to_have_count(1)
    page.context.close()


def test_reload_and_back_keep_the_result(browser: Browser, page_server: Running) -> None:
    page, watch = opened(browser, page_server)
    uploaded(page)
    genre = page.locator("#genre").inner_text()
    expect(page.locator("#tracks li").first).to_be_visible(timeout=RESULT_MS)
    n_tracks = page.locator("#tracks li").count()
    page.reload()
    page.goto(f"{page_server.url}/api/v1/docs")
    page.go_back()
    expect(page.get_by_role("heading", level=1, name=genre)).to_be_visible()
    assert page.title().startswith(genre)
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_enabled(timeout=RESULT_MS)
    expect(page.locator("#tracks li")).to_have_count(n_tracks)
    expect(page.locator("#spectrogram")).to_be_visible()

    page.get_by_role("link", name="Genrescope, start page").click()
    expect(page.get_by_role("button", name="Start")).to_be_visible()
    page.get_by_role("button", name="Forget all").click()
    page.reload()
    expect(page.get_by_role("button", name="Start")).to_be_visible()
    expect(page.locator("#visit")).to_be_hidden()
    assert watch.troubles == []
    page.context.close()


def test_what_stands_between_may_be_tried_again(browser: Browser, page_server: Running) -> None:
    page, _ = opened(browser, page_server)
    retry = page.get_by_role("button", name="Try again")
    for status in (429, 404):
        answer = partial(Route.fulfill, status=status)
        page.route("**/api/v1/listen*", lambda route, _, answer=answer: answer(route))
        send(page, song())
        expect(retry).to_be_visible()
        page.unroute("**/api/v1/listen*")
        retry.click()
        expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)
    page.context.close()


def test_a_server_that_falls_silent_is_given_up(browser: Browser, page_server: Running) -> None:
    page = browser.new_context().new_page()
    page.clock.install()
    page.goto(page_server.url)
    page.route("**/api/v1/listen*", lambda route: None)  # no answer, ever
    send(page, song())
    expect(page.get_by_text("Listening to “a.wav”.").first).to_be_visible()
    page.clock.fast_forward(121_000)
    expect(page.get_by_role("alert")).to_contain_text("The server did not answer")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    page.context.close()


SLOW_ANSWER = """async () => {
  window.XMLHttpRequest = class extends EventTarget {
    upload = new EventTarget();
    status = 200;
    responseText = "music";
    overrideMimeType() {}
    open() { window.request = this; }
    send() {}
    abort() {}
    getResponseHeader(name) { return name === "content-type" ? "audio/ogg" : null; }
  };
  const { polish } = await import("/static/api.js");
  window.outcome = polish({ blob: new Blob(["music"]), name: "a.wav" })
    .then(({ blob }) => `${blob.size} bytes`)
    .catch((error) => error.code);
}"""


@pytest.mark.parametrize("comes", [True, False])
def test_a_long_answer_is_waited_for_while_it_comes(
    browser: Browser, page_server: Running, comes: bool
) -> None:
    page = browser.new_context().new_page()
    page.clock.install()
    page.goto(page_server.url)
    page.evaluate(SLOW_ANSWER)
    for _ in range(4):
        page.clock.run_for(60_000)
        if comes:
            page.evaluate("request.dispatchEvent(new ProgressEvent('progress'))")
    page.evaluate("request.dispatchEvent(new ProgressEvent('load'))")
    assert page.evaluate("outcome") == ("5 bytes" if comes else "unreachable")
    page.context.close()


def test_it_stops_by_itself(browser: Browser, page_server: Running) -> None:
    page = browser.new_context().new_page()
    page.clock.install()
    page.goto(page_server.url)
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.wait_for_timeout(1_000)  # what it has really heard by then
    page.clock.fast_forward(31_000)
    expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)
    page.context.close()


def test_half_an_answer_may_be_tried_again(browser: Browser, page_server: Running) -> None:
    page, _ = opened(browser, page_server)
    page.route("**/api/v1/similar", lambda route: route.abort())
    uploaded(page)
    page.route("**/api/v1/polish*", lambda route: route.abort())
    page.reload()  # the polished sound is not kept
    polished, similar = page.locator("#polish-note"), page.locator("#similar")
    for half in (polished, similar):
        expect(half).to_contain_text("The server did not answer", timeout=RESULT_MS)
    page.unroute_all()
    polished.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("radio", name="More beautiful")).to_be_enabled(timeout=RESULT_MS)
    similar.get_by_role("button", name="Try again").click()
    expect(similar.get_by_role("link").first).to_be_visible(timeout=RESULT_MS)
    page.context.close()


def test_a_long_recording_is_polished_when_asked_for(
    browser: Browser, page_server: Running
) -> None:
    page, _ = opened(browser, page_server)
    send(page, song(61, sr=8_000))
    expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("radio", name="More beautiful")).to_be_enabled(timeout=RESULT_MS)
    page.context.close()


def test_a_result_stays_until_another_sound_is_sent(browser: Browser, page_server: Running) -> None:
    page, watch = opened(browser, page_server)
    uploaded(page)
    genre = page.locator("#genre").inner_text()
    page.get_by_role("button", name="Record again").first.click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", level=1, name=genre)).to_be_visible()
    expect(page.get_by_role("button", name="Record again").first).to_be_focused()
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_enabled(timeout=RESULT_MS)
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
    browser: Browser, page_server: Running, tmp_path: Path
) -> None:
    page, _ = opened(browser, page_server)
    path = tmp_path / "gone.wav"
    path.write_bytes(song().data)
    page.evaluate(HOLD_BACK)
    page.set_input_files("#file", path)
    path.unlink()
    page.evaluate("document.querySelector('#file').dispatchEvent(new Event('change'))")
    trouble = page.get_by_role("alert")
    expect(trouble).to_contain_text("cannot be read", timeout=RESULT_MS)
    expect(trouble.get_by_role("button", name="Try again")).to_have_count(0)
    page.context.close()


def test_what_is_no_music_gets_no_genre_in_large_letters(
    browser: Browser, page_server: Running
) -> None:
    page, _ = opened(browser, page_server)
    page.route("**/api/v1/listen*", _with_flag("no music"))
    send(page, tone())
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("No music", timeout=RESULT_MS)
    expect(page.locator("#confidence")).to_contain_text("does not sound like music")
    expect(page.locator("#bars-title")).to_have_text("If it were music")
    expect(page.locator(".try-genre")).to_have_text("No music")
    for meaningless in ("#timeline", "#legend", "#similar", "#accuracy"):
        expect(page.locator(meaningless)).to_be_hidden()
    expect(page.locator("#spectrogram")).to_be_visible()
    assert page.title().startswith("No music")
    page.context.close()


def _with_flag(flag: str) -> Callable[[Route], None]:
    """What answers as the server does, with one flag alone."""

    def answer(route: Route) -> None:
        response = route.fetch()
        head, first, *others = re.split(rb"\r\n\r\n|\r\n(?=--)", response.body(), maxsplit=2)
        changed = json.dumps({**json.loads(first), "flags": [flag]}).encode()
        head = re.sub(rb"(?i)(content-length: )\d+", rb"\g<1>%d" % len(changed), head)
        route.fulfill(response=response, body=head + b"\r\n\r\n" + b"\r\n".join([changed, *others]))

    return answer


@pytest.mark.parametrize("points", [16, 24])
def test_the_narrowest_screen_and_large_letters_fit(
    browser: Browser, page_server: Running, points: int
) -> None:
    page, _ = opened(browser, page_server, viewport={"width": 320, "height": 568})
    page.evaluate(f"document.documentElement.style.fontSize = '{points}px'")
    assert no_sideways_scroll(page)
    uploaded(page)
    expect(page.get_by_role("link", name="Save the original")).to_be_visible(timeout=RESULT_MS)
    expect(page.get_by_role("link", name="search on").first).to_be_visible(timeout=RESULT_MS)
    assert no_sideways_scroll(page)
    page.context.close()


@pytest.mark.parametrize("screen", [PHONE, ON_ITS_SIDE], ids=["upright", "on its side"])
def test_a_phone(browser: Browser, page_server: Running, screen: dict[str, object]) -> None:
    page, watch = opened(browser, page_server, **screen)
    assert no_sideways_scroll(page)
    button = page.get_by_role("button", name="Start")
    box = button.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < screen["viewport"]["height"]  # type: ignore[index]
    button.tap()
    expect(page.locator("#record")).to_have_attribute("aria-disabled", "false")
    assert no_sideways_scroll(page)
    page.get_by_role("button", name="Stop").tap()
    expect(page.get_by_role("link", name="search on").first).to_be_visible(timeout=RESULT_MS)
    assert no_sideways_scroll(page)
    assert watch.troubles == []
    page.context.close()


def test_a_microphone_that_is_denied(browser: Browser, page_server: Running) -> None:
    page, watch = opened(browser, page_server)
    # Said as browsers say it, since not every Chromium here has a prompt to deny.
    page.evaluate("""() => {
      const denied = new DOMException("Permission denied", "NotAllowedError");
      navigator.mediaDevices.getUserMedia = () => Promise.reject(denied);
    }""")
    page.get_by_role("button", name="Start").click()
    trouble = page.get_by_role("alert")
    expect(trouble).to_contain_text("not allowed")
    expect(trouble).to_be_focused()
    with page.expect_file_chooser():
        trouble.get_by_role("button", name="Choose a file").click()
    assert watch.troubles == []
    page.context.close()
