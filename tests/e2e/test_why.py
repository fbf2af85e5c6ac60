"""Why a genre is named: seen, said and heard, on one clock with the recording."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from e2e.driving import (
    DARK,
    DESK,
    PHONE,
    RESULT_MS,
    TABLET,
    no_sideways_scroll,
    opened,
    samples_of,
    song,
    uploaded,
)
from playwright.sync_api import Browser, Page, expect
from web.serving import Running

from genrescope.model.classifier import Classifier

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def explained(page: Page) -> None:
    page.get_by_role("button", name="Why?", exact=True).click()
    expect(page.locator("#why-title")).to_be_focused()
    expect(page.get_by_role("radio", name="What decided")).to_be_enabled(timeout=RESULT_MS)


@pytest.mark.parametrize(
    "screen", [DESK, DARK, TABLET, PHONE], ids=["desk", "dark", "tablet", "phone"]
)
def test_why_is_seen_said_and_heard(
    browser: Browser, page_server: Running, screen: dict[str, Any]
) -> None:
    page, watch = opened(browser, page_server, **screen)
    uploaded(page, song(6))
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url) if "/explain" in r.url else None)
    explained(page)
    assert len(asked) == 1  # figures and sounds are of one computation
    expect(page.locator("#why-truth")).to_contain_text("in random order")
    assert page.locator("#why-words").inner_text() != ""
    expect(page.locator("#overlay")).to_be_visible()
    coloured = "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
    assert page.locator("#overlay").evaluate(coloured) > 20
    page.get_by_role("slider", name="Strength of the colours").fill("0.25")
    assert page.locator("#overlay").evaluate("c => c.style.opacity") == "0.25"
    assert no_sideways_scroll(page)

    # Switched while it plays, it goes on at the same moment.
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function("() => document.querySelector('#audio-original').currentTime > 0.5")
    page.get_by_role("radio", name="What decided").check(force=True)
    page.wait_for_function("() => document.querySelector('#audio-decided').currentTime > 0.5")
    assert page.locator("#audio-original").evaluate("a => a.paused")
    page.get_by_role("radio", name="Original").check(force=True)
    page.get_by_role("button", name="Pause", exact=True).click()

    with page.expect_download() as download:
        page.get_by_role("link", name="Save what decided").click()
    assert abs(samples_of(Path(download.value.path()))).max() > 0.01

    # Another genre, by its bar; then back where one was.
    bar = page.locator(".bar-why").last
    bar.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("radio", name="What did not matter")).to_be_enabled(timeout=RESULT_MS)
    assert len(asked) == 2
    page.keyboard.press("Escape")
    expect(page.locator("#why")).to_be_hidden()
    expect(bar).to_be_focused()
    explained(page)
    assert len(asked) == 2  # what is known is not asked again
    assert watch.troubles == []
    page.context.close()


def test_a_failure_is_said_and_can_be_tried_again(browser: Browser, page_server: Running) -> None:
    page, _ = opened(browser, page_server, **DESK)
    uploaded(page, song(4))
    page.route("**/api/v1/explain*", lambda route: route.abort())
    page.get_by_role("button", name="Why?", exact=True).click()
    expect(page.locator("#why-note")).to_contain_text("did not answer", timeout=RESULT_MS)
    page.unroute("**/api/v1/explain*")
    page.locator("#why-note").get_by_role("button").click()
    expect(page.get_by_role("radio", name="What decided")).to_be_enabled(timeout=RESULT_MS)
    page.context.close()


WORDS = """async (figures) => {
  const { reasons } = await import("/static/reasons.js");
  return reasons(figures);
}"""


def test_its_words_are_those_of_the_command_line(
    browser: Browser, page_server: Running, tiny_bundle: Path
) -> None:
    page, _ = opened(browser, page_server, locale="en-GB", **DESK)
    for genre in (None, "metal", "jazz"):
        explanation = Classifier.load(tiny_bundle).explain(song(6).data, genre)
        words = page.evaluate(WORDS, {**explanation.to_dict(), "decisive": True})
        assert explanation.cells.max() > 0
        if explanation.fidelity.decisive:
            assert explanation.words in words
        else:
            assert "mostly the" in words
    page.context.close()
