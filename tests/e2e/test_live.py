"""The guess while the music still plays."""

from __future__ import annotations

import re

import pytest
from e2e.driving import DESK, ON_ITS_SIDE, PHONE, RESULT_MS, no_sideways_scroll, opened
from playwright.sync_api import Browser, Page, Request, expect
from web.serving import Running

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def _guesses(page: Page) -> list[Request]:
    asked: list[Request] = []
    page.on("request", lambda r: asked.append(r) if "/classify" in r.url else None)
    return asked


@pytest.mark.parametrize("screen", [DESK, PHONE, ON_ITS_SIDE], ids=["desk", "phone", "on its side"])
def test_it_guesses_while_it_listens(
    browser: Browser, page_server: Running, screen: dict[str, object]
) -> None:
    page, watch = opened(browser, page_server, **screen)
    asked = _guesses(page)
    page.get_by_role("button", name="Start").click()
    guess = page.locator("#guess")
    expect(guess.locator(".guess-name")).to_have_text(re.compile("[A-Z]"), timeout=RESULT_MS)
    assert page.locator("#record-time").inner_text() >= "0:03"
    named, stop = (
        guess.locator(".guess-name").bounding_box(),
        page.locator("#record").bounding_box(),
    )
    assert named is not None
    assert stop is not None
    beside = named["x"] >= stop["x"] + stop["width"]
    above = named["y"] + named["height"] <= stop["y"]
    assert beside or above  # never under the finger
    assert named["x"] + named["width"] <= screen["viewport"]["width"]  # type: ignore[index]
    assert no_sideways_scroll(page)
    expect(guess).to_have_attribute("role", "status")
    while len(asked) < 2:
        page.wait_for_timeout(100)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)
    n_asked = len(asked)
    page.wait_for_timeout(2_500)
    assert len(asked) == n_asked  # it asks no more
    assert watch.troubles == []
    page.context.close()


def test_one_question_at_a_time(browser: Browser, page_server: Running) -> None:
    page, _ = opened(browser, page_server, **DESK)
    asked: list[str] = []
    page.route("**/api/v1/classify*", lambda route: asked.append(route.request.url))  # no answer
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#record-time")).to_have_text("0:08", timeout=RESULT_MS)
    assert len(asked) == 1
    assert "spectrogram=false" in asked[0]
    assert "live=true" in asked[0]
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)
    page.context.close()


def test_it_firms_up_as_it_gets_surer(browser: Browser, page_server: Running) -> None:
    page, watch = opened(browser, page_server, **DESK)
    sure = iter([0.3, 0.55, 0.9])
    flags: list[str] = []

    def answer(route) -> None:  # type: ignore[no-untyped-def]
        p = next(sure, 0.9)
        route.fulfill(json={"genre": "jazz", "confidence": p, "flags": flags, "probabilities": {}})

    page.route("**/api/v1/classify*", answer)
    page.get_by_role("button", name="Start").click()
    guess = page.locator("#guess")
    widths = []
    for lead, share in (("Sounds like", "30%"), ("Sounds like", "55%"), ("That’s", "90%")):
        expect(guess.locator(".guess-share")).to_have_text(share, timeout=RESULT_MS)
        expect(guess).to_contain_text(lead)
        expect(guess).to_contain_text("Jazz")
        page.wait_for_timeout(450)  # for the line to have grown
        box = guess.locator(".guess-line").bounding_box()
        assert box is not None
        widths.append(box["width"])
    assert widths == sorted(widths)
    assert widths[0] < widths[2]
    assert watch.troubles == []
    page.context.close()


def test_a_server_too_busy_to_guess_spoils_nothing(browser: Browser, page_server: Running) -> None:
    page, _ = opened(browser, page_server, **DESK)
    page.route("**/api/v1/classify*", lambda route: route.fulfill(status=503, json={}))
    with page.expect_response("**/api/v1/classify*"):
        page.get_by_role("button", name="Start").click()
    expect(page.locator("#guess")).to_be_empty()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)
    page.context.close()


def test_it_can_be_switched_off_and_stays_off(browser: Browser, page_server: Running) -> None:
    page, watch = opened(browser, page_server, **DESK)
    switch = page.get_by_role("checkbox", name="Guess while it listens")
    switch.uncheck()
    page.reload()
    expect(switch).not_to_be_checked()
    asked = _guesses(page)
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#record-time")).to_have_text("0:05", timeout=RESULT_MS)
    assert asked == []
    assert watch.troubles == []
    page.context.close()
