"""The page in German, its honest words, and the page without a connection."""

from __future__ import annotations

import re
from typing import Any

import pytest
from e2e.driving import (
    DESK,
    PHONE,
    RESULT_MS,
    Recording,
    no_sideways_scroll,
    opened,
    send,
    song,
    uploaded,
)
from playwright.sync_api import Browser, expect
from web.serving import Running

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.mark.parametrize("screen", [DESK, PHONE], ids=["desk", "phone"])
def test_all_in_german(browser: Browser, page_server: Running, screen: dict[str, Any]) -> None:
    page, _ = opened(browser, page_server, locale="de-DE", **screen)
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.get_by_role("heading", level=1)).to_have_text("Was läuft da?")
    assert no_sideways_scroll(page)
    send(page, Recording("wörter.txt", b"These are words."))
    trouble = page.get_by_role("alert")
    expect(trouble).to_contain_text("„wörter.txt“ lässt sich nicht als Klang lesen.")
    send(page, song(4))
    expect(page.get_by_role("radio", name="Noch schöner")).to_be_enabled(timeout=RESULT_MS)
    expect(page.locator("#tracks li").first).to_be_visible(timeout=RESULT_MS)
    assert no_sideways_scroll(page)
    numbers = page.locator(".bar-number").all_inner_texts()
    assert all(re.fullmatch(r"[<>]?\s?\d+,\d\s%", number) for number in numbers)
    english = "It|hears|Record|Choose|genres|of the|Save|visit|Genre over"
    text = page.locator("body").inner_text()
    assert re.search(rf"\b(?:{english})\b", text) is None
    page.context.close()


def test_the_switch_keeps_the_result_and_is_remembered(
    browser: Browser, page_server: Running
) -> None:
    page, watch = opened(browser, page_server, locale="en-GB", **DESK)
    uploaded(page)
    page.get_by_role("link", name="Deutsch").click()
    expect(page.locator("#bars-title")).to_have_text("Alle zehn Genres")
    expect(page.get_by_role("button", name="Abspielen", exact=True)).to_be_enabled(
        timeout=RESULT_MS
    )
    page.goto(page_server.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Was läuft da?")
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What’s playing?")
    assert watch.troubles == []
    page.context.close()


def test_the_accuracy_stands_beside_the_verdict(browser: Browser, page_server: Running) -> None:
    page, _ = opened(browser, page_server, **DESK)
    uploaded(page)
    expect(page.locator("#accuracy")).to_contain_text("right on 50 of 100 songs by artists")
    page.context.close()


CHOSEN = """async () => {
  const { choose } = await import("/static/suggestions.js");
  const track = (artist, title, similarity) => ({ artist, title, similarity });
  return choose([
    track("Vivaldi", "The Four Seasons: Spring", 0.9),
    track("VIVALDI", "Gloria", 0.89),
    track("Another Orchestra", "The Four Seasons - Winter (live)", 0.88),
    track("Beyoncé", "Halo", 0.8),
    track("Beyonce", "Crazy in Love", 0.79),
    track(null, "Untitled blues", 0.7),
    track("Far Away", "Song", 0.2),
  ]).map(({ title }) => title);
}"""


def test_suggestions_name_an_artist_and_a_work_once(browser: Browser, page_server: Running) -> None:
    page, _ = opened(browser, page_server, **DESK)
    assert page.evaluate(CHOSEN) == ["The Four Seasons: Spring", "Halo", "Untitled blues"]
    uploaded(page)
    tracks = page.locator("#tracks li")
    expect(tracks.first).to_contain_text("closest", timeout=RESULT_MS)
    assert "%" not in page.locator("#tracks").inner_text()
    expect(page.locator("#similar-note")).to_contain_text("opens a search on YouTube")
    expect(
        page.get_by_role("link", name="search on YouTube, opens in a new tab").first
    ).to_be_visible()
    page.context.close()


def test_the_page_opens_without_a_connection(browser: Browser, page_server: Running) -> None:
    page, _ = opened(browser, page_server, **DESK)
    page.evaluate("navigator.serviceWorker.ready")
    page.wait_for_function("() => navigator.serviceWorker.controller !== null")
    page.wait_for_function("() => caches.match('/static/app.js').then(Boolean)")
    page.context.set_offline(True)
    page.reload()
    expect(page.get_by_role("button", name="Start")).to_be_visible()
    expect(page.locator("#offline")).to_contain_text("You are offline")
    page.context.set_offline(False)
    expect(page.locator("#offline")).to_be_hidden()
    uploaded(page)
    page.context.close()
