"""Nobody is shut out: axe finds nothing in any state, and the keyboard goes everywhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from e2e.driving import (
    DARK,
    DESK,
    FORCED,
    PHONE,
    RESULT_MS,
    Recording,
    opened,
    send,
    song,
    uploaded,
    with_a_rest,
)
from playwright.sync_api import Browser, Page, expect
from web.serving import Running

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

AXE = Path(sys.prefix) / "axe/node_modules/axe-core/axe.min.js"


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.exists():
        pytest.skip("needs axe-core, which `make test` fetches where there is npm")
    return AXE.read_text(encoding="utf-8")


def _recording(page: Page) -> None:
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#guess")).not_to_be_empty(timeout=RESULT_MS)


def _result(page: Page) -> None:
    uploaded(page, with_a_rest())
    expect(page.locator("#tracks li").first).to_be_visible(timeout=RESULT_MS)


def _why(page: Page) -> None:
    page.get_by_role("button", name="Why?", exact=True).click()
    expect(page.get_by_role("radio", name="What decided")).to_be_enabled(timeout=RESULT_MS)


def _shared(page: Page) -> None:
    page.get_by_role("button", name="Share").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def _trouble(page: Page) -> None:
    page.keyboard.press("Escape")
    send(page, Recording("words.txt", b"These are words."))
    expect(page.get_by_role("alert")).to_be_visible()


def _visit(page: Page) -> None:
    send(page, song(3, "a.wav"), Recording("words.txt", b"These are words."), song(4, "b.wav"))
    expect(page.locator("#visit")).to_be_visible(timeout=RESULT_MS)
    for name in ("a.wav", "b.wav"):
        page.get_by_role("checkbox", name=f"Compare {name}").check()


def _reference(page: Page) -> None:
    page.get_by_role("link", name="HTTP API").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("HTTP API")


VISITS = ((), (_recording,), (_result, _why, _shared, _trouble, _visit, _reference))
"""Ways from the opened page, each step from where the one before it ended."""


@pytest.mark.parametrize("screen", [DESK, DARK, PHONE], ids=["desk", "dark", "phone"])
@pytest.mark.parametrize("steps", VISITS, ids=["idle", "recording", "result and on"])
def test_axe_finds_nothing(
    browser: Browser,
    page_server: Running,
    axe: str,
    steps: Sequence[Callable[[Page], None]],
    screen: dict[str, Any],
) -> None:
    # Without motion, so that nothing is half faded in when colours are measured.
    page, _ = opened(browser, page_server, reduced_motion="reduce", **screen)
    for step in steps or [lambda page: None]:
        step(page)
        page.evaluate(axe)
        found = page.evaluate(
            "axe.run({ runOnly: { type: 'tag', values: TAGS } })".replace("TAGS", TAGS)
        )
        problems = [
            f"{step.__name__}: {problem['id']}: {problem['help']}: "
            f"{[node['target'] for node in problem['nodes']]}"
            for problem in found["violations"]
        ]
        assert problems == []
        assert len(found["passes"]) > 10
    page.context.close()


TAGS = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']"


def test_everything_by_keyboard(browser: Browser, page_server: Running) -> None:
    page, watch = opened(browser, page_server, **DESK)
    page.locator("#file").evaluate("input => input.click = () => { window.chosen = true; }")
    reached: list[str] = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.id || document.activeElement.innerText")
        )
    for name in ("language", "record", "choose", "A little minuet", "A wall of guitars", "live"):
        assert name in reached
    page.locator("#choose").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("chosen")

    page.get_by_role("button", name="A dance floor").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("radio", name="More beautiful")).to_be_enabled(timeout=RESULT_MS)
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.get_by_role("radio", name="Original").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="More beautiful")).to_be_checked()
    page.locator(".stretch").first.focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.wait_for_function("() => !document.querySelector('#audio-polished').paused")
    page.get_by_role("slider", name="Position in the sound").focus()
    page.keyboard.press("PageDown")
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Share").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Share")).to_be_focused()
    page.get_by_role("button", name="Record again").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Stop")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Record again").first).to_be_focused()
    assert watch.troubles == []
    page.context.close()


def test_forced_colours_leave_nothing_unseen(browser: Browser, page_server: Running) -> None:
    page, watch = opened(browser, page_server, **FORCED)
    colours = "e => { const s = getComputedStyle(e); return [s.color, s.backgroundColor]; }"
    ink, ground = page.locator("#record").evaluate(colours)
    assert ink != ground
    assert page.locator("#record").evaluate("e => getComputedStyle(e).borderTopWidth") == "2px"
    # The stave is drawn in the colours that the reader chose.
    chosen = page.evaluate("import('/static/dom.js').then(({ colour }) => colour('ink'))")
    assert chosen == page.locator("body").evaluate("e => getComputedStyle(e).color")
    uploaded(page)
    for selector in ("#again", ".versions input:checked + span", ".stretch"):
        ink, ground = page.locator(selector).first.evaluate(colours)
        assert ink != ground, selector
    assert watch.troubles == []
    page.context.close()
