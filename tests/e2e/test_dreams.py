"""The button that plays what the net takes for a genre."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from e2e.driving import RESULT_MS, opened, send, song, uploaded
from playwright.sync_api import Browser, Page, expect
from web.serving import Running

from genrescope.model import Bundle

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def _dreaming(browser: Browser, server: Running, bundle: Path, language: str) -> Page:
    """A result, as if the dreams that ship were those of a bundle."""
    page = browser.new_context(service_workers="block").new_page()
    script = (
        f"export const bundle = {json.dumps(Bundle.load(bundle).name)};\n"
        'export const genres = ["blues", "jazz", "rock"];\n'
    )
    page.route(
        "**/static/dreamt.js",
        lambda route: route.fulfill(body=script, content_type="text/javascript"),
    )
    page.goto(f"{server.url}/?lang={language}")
    expect(page.locator("#version")).to_contain_text("Genrescope 0.")
    send(page, song(4))
    expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)
    return page


def test_a_dream_plays_and_stops(browser: Browser, page_server: Running, tiny_bundle: Path) -> None:
    page = _dreaming(browser, page_server, tiny_bundle, "en")
    hear = page.get_by_role("button", name="Hear what the net thinks")
    hear.click()
    stop = page.get_by_role("button", name="Stop playing what the net thinks")
    expect(stop).to_be_visible()
    stop.click()
    expect(hear).to_be_visible()
    page.context.close()


def test_the_recording_and_the_dream_never_play_together(
    browser: Browser, page_server: Running, tiny_bundle: Path
) -> None:
    page = _dreaming(browser, page_server, tiny_bundle, "de")
    button = page.locator("#dream")
    button.click()
    expect(button).to_contain_text("Anhalten")
    page.locator("#play").click()
    expect(button).to_contain_text("Hör dir an, was das Netz für")
    button.click()
    assert page.locator("#audio-original").evaluate("a => a.paused")
    page.context.close()


def test_dreams_of_another_net_are_not_offered(browser: Browser, page_server: Running) -> None:
    page, watch = opened(browser, page_server)
    uploaded(page)
    expect(page.locator("#dream")).to_be_hidden()
    assert watch.troubles == []
    page.context.close()
