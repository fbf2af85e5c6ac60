"""Names stay whole, every screen is used, narrow stretches can be hit, silence is seen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundle_maker import make_bundle
from e2e.driving import (
    DESK,
    PHONE,
    RESULT_MS,
    SCREENS,
    WIDE,
    Recording,
    no_sideways_scroll,
    opened,
    send,
    song,
    uploaded,
    with_a_rest,
)
from playwright.sync_api import Browser, Page, expect
from web.serving import Running, serve, wav

from genrescope.web.app import create_app

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

OWN = (
    *("Singer-songwriter", "Progressive_metal", "Lateinamerikanische_Musik", "hiphop", "rnb"),
    *("Ska", "Drum_and_bass", "Afrobeats", "Hyperpop", "K-pop"),
)


@pytest.fixture(scope="module")
def own_genres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server whose model knows genres of somebody's own, with long names."""
    bundle = make_bundle(tmp_path_factory.mktemp("bundle") / "own", labels=OWN).path
    with serve(create_app(bundle=bundle)) as running:
        yield running


WHOLE = """() => {
  const size = (element) => parseFloat(getComputedStyle(element).fontSize);
  const whole = (element) => element.getClientRects().length === 1
    && element.getBoundingClientRect().height < 1.8 * size(element);
  const inside = (element) => element.getBoundingClientRect().right <= innerWidth + 0.5;
  const words = [...document.querySelectorAll("#genre .word, .bar-name")];
  return words.filter((word) => !whole(word) || !inside(word)).map((word) => word.textContent);
}"""


FITTED = """() => new Promise((done) => {
  requestAnimationFrame(() => requestAnimationFrame(done));
})"""
"""Resolves when the letters are fitted to a new width, which the page does before it draws."""


def test_no_name_breaks_at_any_width(browser: Browser, own_genres: Running) -> None:
    page, _ = opened(browser, own_genres, **DESK)
    uploaded(page)
    for name in OWN:
        page.evaluate(
            """async ([name, genres]) => (await import("/static/result.js")).showVerdict({
              genre: name, confidence: 0.5, genres: [], flags: [],
              probabilities: Object.fromEntries(genres.map((g) => [g, g === name ? 0.5 : 0.05])),
            })""",
            [name, OWN],
        )
        for width in (320, 360, 390, 600, 768, 770, 820, 900, 1024, 1050, 1180, 1280, 1600, 1700):
            page.set_viewport_size({"width": width, "height": 800})
            page.evaluate(FITTED)
            assert page.evaluate(WHOLE) == [], (name, width)
            assert no_sideways_scroll(page), (name, width)
    page.context.close()


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize(("width", "height"), [(1024, 768), (1180, 820), (1280, 800), (1920, 1080)])
def test_what_can_be_done_stands_in_one_row_and_in_sight(
    browser: Browser, page_server: Running, width: int, height: int, language: str
) -> None:
    viewport = {"width": width, "height": height}
    page, _ = opened(browser, page_server, viewport=viewport, locale=language)
    choices = page.locator("#choices").bounding_box()
    assert choices
    assert choices["y"] + choices["height"] <= height
    send(page, song())
    expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)
    boxes = [b.bounding_box() for b in page.locator(".verdict .actions .button").all()]
    assert len(boxes) == 3
    assert len({box["y"] for box in boxes if box}) == 1
    page.context.close()


@pytest.mark.parametrize("language", ["en", "de"])
def test_what_can_be_done_stands_in_one_row_on_phones_and_tablets(
    browser: Browser, page_server: Running, language: str
) -> None:
    page, _ = opened(browser, page_server, **PHONE, locale=language)
    send(page, song())
    expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)
    for width, height in ((390, 844), (844, 390), (820, 1180)):
        page.set_viewport_size({"width": width, "height": height})
        boxes = [b.bounding_box() for b in page.locator(".verdict .actions .button").all()]
        assert len({box["y"] for box in boxes if box}) == 1, width
        # The sign alone is seen; what it does is said.
        expect(page.locator("#share")).to_have_accessible_name(
            "Share" if language == "en" else "Teilen"
        )
    page.context.close()


@pytest.mark.parametrize("name", SCREENS)
def test_every_screen_from_start_to_result(
    browser: Browser, page_server: Running, name: str
) -> None:
    screen: dict[str, Any] = SCREENS[name]
    page, watch = opened(browser, page_server, **screen)
    assert no_sideways_scroll(page)
    box = page.get_by_role("button", name="Start").bounding_box()
    assert box is not None
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= screen["viewport"]["height"]
    uploaded(page)
    assert no_sideways_scroll(page)
    assert page.evaluate(WHOLE) == []
    assert watch.troubles == []
    page.context.close()


def _left(page: Page, selector: str) -> float:
    box = page.locator(selector).bounding_box()
    assert box is not None
    return box["x"]


def test_a_wide_screen_is_used(browser: Browser, page_server: Running) -> None:
    page, _ = opened(browser, page_server, **WIDE)
    uploaded(page)
    verdict, sound = (page.locator(s).bounding_box() for s in (".verdict", "#sound"))
    assert verdict is not None
    assert sound is not None
    assert verdict["x"] + verdict["width"] < sound["x"]
    assert abs(verdict["y"] - sound["y"]) < 50
    assert sound["x"] + sound["width"] > 1500
    page.set_viewport_size({"width": 1280, "height": 900})
    assert _left(page, "#sound") == pytest.approx(_left(page, ".verdict"), abs=1)
    page.context.close()


STRETCHES = """() => import("/static/scope.js").then(({ timeline }) => {
  const segments = [];
  for (let i = 0; i < 6; i++) {
    const [start, end] = i % 2 ? [i * 10 + 9.1, i * 10 + 10] : [i * 10, i * 10 + 19.1];
    segments.push({ start, end, label: i % 2 ? "jazz" : "rock", probability: 0.6 });
  }
  window.sought = [];
  const strip = document.querySelector("#timeline");
  const legend = document.querySelector("#legend");
  timeline(strip, legend, { segments, duration: 60, seek: (s) => window.sought.push(s) });
})"""


def test_a_narrow_stretch_can_be_hit(browser: Browser, page_server: Running) -> None:
    page, _ = opened(browser, page_server, **PHONE)
    uploaded(page)
    page.evaluate(STRETCHES)
    narrow, wide = page.locator(".stretch").nth(3), page.locator(".stretch").nth(4)
    wide.scroll_into_view_if_needed()
    box, beside = narrow.bounding_box(), wide.bounding_box()
    assert box is not None
    assert beside is not None
    assert box["width"] < 12
    page.mouse.click(beside["x"] + 3, beside["y"] + 20)  # beside it, as a finger would
    page.mouse.click(beside["x"] + beside["width"] / 2, beside["y"] + 20)
    start = float(narrow.get_attribute("data-start") or 0)
    assert page.evaluate("sought") == [start, 40]
    narrow.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("sought")[-1] == start
    page.context.close()


def test_silence_is_shown_as_silence(browser: Browser, page_server: Running) -> None:
    page, _ = opened(browser, page_server, **DESK)
    uploaded(page, with_a_rest())
    rest = page.locator(".rest")
    expect(rest).to_have_count(1)
    expect(rest).to_contain_text("Silence, 0:05 to 0:0")
    expect(page.locator("#legend")).to_contain_text("Silence 2")
    box = rest.bounding_box()
    strip = page.locator("#timeline").bounding_box()
    assert box is not None
    assert strip is not None
    assert box["width"] / strip["width"] == pytest.approx(3 / 12, abs=0.05)
    page.context.close()


REVEALED = """() => Math.max(0, ...document.getAnimations({ subtree: true })
  .map((a) => a.effect.getComputedTiming().endTime)
  .filter((end) => end !== Infinity))"""  # what waits for the polished sound goes on and on


@pytest.mark.parametrize(("motion", "most_ms"), [("no-preference", 600), ("reduce", 0)])
def test_the_answer_arrives(
    browser: Browser, page_server: Running, motion: str, most_ms: int
) -> None:
    page, _ = opened(browser, page_server, reduced_motion=motion)
    page.evaluate(
        """() => {
      window.longest = [];
      const seen = new MutationObserver(() => window.longest.push((MEASURE)()));
      seen.observe(document.querySelector("#result"), { attributes: true });
    }""".replace("MEASURE", REVEALED)
    )
    uploaded(page)
    longest = max(page.evaluate("longest"))
    assert longest <= most_ms
    assert (longest > 0) == (most_ms > 0)
    page.context.close()


def test_a_silent_recording_has_no_genre(browser: Browser, page_server: Running) -> None:
    page, watch = opened(browser, page_server, **DESK)
    send(page, Recording("silence.wav", wav(np.zeros((22_050 * 4, 1), np.float32))))
    expect(page.get_by_role("heading", level=1, name="Silence")).to_be_visible(timeout=RESULT_MS)
    for hidden in (".bars-box", "#scope-picture", "#versions", "#similar"):
        expect(page.locator(hidden)).to_be_hidden()
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_enabled(timeout=RESULT_MS)
    assert watch.troubles == []
    page.context.close()


def test_one_chooses_between_models(
    browser: Browser, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    own = make_bundle(tmp_path_factory.mktemp("bundle") / "own", labels=OWN, name="own").path
    with serve(create_app(bundle=[tiny_bundle, own])) as running:
        page, watch = opened(browser, running, **DESK)
        choice = page.get_by_role("combobox", name="Model")
        expect(choice).to_have_value("tiny")
        choice.select_option("10 genres (own)")
        uploaded(page)
        expect(page.locator("#bars")).to_contain_text("Singer-songwriter")
        expect(page.locator("#tracks li").first).to_be_visible(timeout=RESULT_MS)
        expect(page.locator("#accuracy")).to_contain_text("right on 50 of 100")
        assert watch.troubles == []
        page.context.close()
