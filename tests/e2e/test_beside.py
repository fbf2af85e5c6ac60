"""A served page that can listen on the visitor's own computer: then no sound leaves it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.driving import (
    DESK,
    PHONE,
    RESULT_MS,
    controlled,
    no_sideways_scroll,
    opened,
    send,
    song,
    uploaded,
)
from node_driver import ORT
from playwright.sync_api import Browser, Page, Request, expect
from web.serving import Running, serve

from genrescope.web.app import create_app

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(tiny_bundle: Path) -> Iterator[Running]:
    if not ORT.exists():
        pytest.skip("needs ONNX Runtime for browsers: npm ci --prefix page")
    with serve(create_app(bundle=tiny_bundle, ort=ORT)) as running:
        yield running


def _ready(page: Page) -> None:
    expect(page.locator("#lead")).to_contain_text("the sound never leaves it")
    expect(page.locator("#version")).to_contain_text("Genrescope 0.", timeout=RESULT_MS)


def _sent(page: Page) -> list[Request]:
    """What is asked of anybody from now on with a body, or of the API at all."""
    found: list[Request] = []

    def note(request: Request) -> None:
        if request.method not in ("GET", "HEAD") or "/api/" in request.url:
            found.append(request)

    page.context.on("request", note)
    return found


@pytest.mark.parametrize("screen", [DESK, PHONE], ids=["desk", "phone"])
def test_on_this_computer_no_sound_leaves_the_page(
    browser: Browser, server: Running, screen: dict[str, object]
) -> None:
    page, watch = opened(browser, server, **screen)
    page.get_by_role("link", name="Listen on this computer instead").click()
    sent = _sent(page)
    _ready(page)
    assert no_sideways_scroll(page)
    send(page, song())
    expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_enabled(timeout=RESULT_MS)
    page.get_by_role("button", name="Record again").first.click()
    expect(page.locator("#record-time")).to_have_text("0:04", timeout=RESULT_MS)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)
    assert sent == []
    assert watch.troubles == []
    page.context.close()


def test_the_visit_goes_on_there_and_back(browser: Browser, server: Running) -> None:
    page, watch = opened(browser, server, **DESK)
    sent = _sent(page)
    uploaded(page)
    assert sent  # so the test above would see it
    page.locator(".wordmark").click()
    page.get_by_role("link", name="Listen on this computer instead").click()
    _ready(page)
    expect(page.locator("#tries tr")).to_have_count(1)
    page.get_by_role("link", name="Listen on the server instead").click()
    expect(page.locator("#lead")).not_to_contain_text("never leaves it")
    expect(page.locator("#tries tr")).to_have_count(1)
    uploaded(page)
    expect(page.locator("#tries tr")).to_have_count(2)
    assert watch.troubles == []
    page.context.close()


def test_where_it_listens_is_remembered(browser: Browser, server: Running) -> None:
    page, watch = opened(browser, server, **DESK)
    page.get_by_role("link", name="Listen on this computer instead").click()
    _ready(page)
    page.goto(server.url)
    _ready(page)
    assert page.url == f"{server.url}/local/"
    page.get_by_role("link", name="Listen on the server instead").click()
    expect(page.locator("#lead")).not_to_contain_text("never leaves it")
    page.goto(server.url)
    expect(page.locator("#version")).to_contain_text("Genrescope 0.")
    assert page.url == f"{server.url}/"
    page.goto(f"{server.url}/local/")  # whoever asks for it gets it
    _ready(page)
    assert page.url == f"{server.url}/local/"
    assert watch.troubles == []
    page.context.close()


def test_each_keeps_its_own_files_for_when_there_is_no_connection(
    browser: Browser, server: Running
) -> None:
    page, _ = opened(browser, server, **DESK)
    controlled(page)
    page.goto(f"{server.url}/local/")
    _ready(page)
    controlled(page, "/local/worker.js")
    page.context.set_offline(True)
    page.reload()
    _ready(page)
    send(page, song())
    expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)
    page.goto(server.url)
    expect(page.locator("#record")).to_be_visible()
    page.context.close()
