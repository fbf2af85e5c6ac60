"""The quickest look at the page in a real browser: the rest of this folder is thorough."""

from __future__ import annotations

import pytest
from e2e.driving import RESULT_MS, opened
from playwright.sync_api import Browser, expect
from web.serving import Running

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    "name",
    [
        "A little minuet",
        pytest.param("A dance floor", marks=pytest.mark.slow),
        pytest.param("A wall of guitars", marks=pytest.mark.slow),
    ],
)
def test_a_sample_to_try_at_once(browser: Browser, page_server: Running, name: str) -> None:
    page, watch = opened(browser, page_server)
    page.get_by_role("button", name=name).click()
    expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_enabled(timeout=RESULT_MS)
    assert watch.troubles == []
    page.context.close()


WORDS = """async () => {
  const words = await import("/static/words.js");
  const row = (protocol, part) =>
    ({ protocol, part, level: "track", n: 50, accuracy: 0.763, low: 0.6, high: 0.8 });
  const told = (...metrics) => words.honesty({ metrics, labels: ["a", "b", "c"] });
  const answer = (p, flags = [], genres = []) => ({
    genre: "jazz", confidence: p, flags, genres,
    probabilities: { jazz: p, rock: 1 - p - 0.001, pop: 0.0005, blues: 0.0003, disco: 0.0002 },
  });
  const { confidence, headline, eyebrow } = words;
  return {
    artists: told(row("fault-filtered", "valid"), row("artists", "test")),
    tracks: told(row("tracks", "test")),
    windows: told(row("windows", "test")),
    accuracy: words.accuracy({ metrics: [row("artists", "test")] }),
    none: words.accuracy({ metrics: [row("windows", "test")] }),
    few: words.others(answer(0.5, [], ["jazz", "rock"])),
    every: words.others(answer(0.5, [], ["jazz", "rock", "pop", "blues", "disco"])),
    sure: confidence(answer(0.984)),
    short: confidence(answer(0.984, ["short"])),
    likely: confidence(answer(0.55)),
    unsure: confidence(answer(0.6, ["uncertain"])),
    nothing: confidence(answer(0.9, ["no music"])),
    headlines: [
      headline(answer(0.9, ["no music"])),
      ...[["uncertain"], ["short"], []].map((flags) => eyebrow(answer(0.5, flags))),
    ],
  };
}"""


@pytest.mark.slow
def test_its_words_say_what_the_figures_say(browser: Browser, page_server: Running) -> None:
    page, _ = opened(browser, page_server)
    words = page.evaluate(WORDS)
    assert "76.3% of 50 tracks by artists they had never heard" in words["artists"]
    assert "they had never heard, some by artists they had" in words["tracks"]
    assert words["windows"] == "It knows 3 genres and names one of them whatever it hears."
    expected = "All in all, it is right on 76 of 100 songs by artists it never heard."
    assert words["accuracy"] == expected
    assert words["none"] == ""
    assert words["few"] == "Nine times out of ten it is one of these: Jazz or Rock."
    assert words["every"] == ""
    assert words["sure"] == "It has hardly any doubt: 98%."
    assert words["short"] == "The numbers say 98%, but this was too short to be sure."
    assert words["likely"] == "More likely than not: 55%. Rock comes next with 45%."
    assert words["unsure"].startswith("It is not sure: 60%.")
    assert words["nothing"].startswith("This does not sound like music, so no genre fits.")
    assert words["headlines"] == ["No music", "Perhaps", "Perhaps", "It hears"]
    page.context.close()


PRESSED = """() => import("/static/scope.js").then(({ pressed }) => {
  const boxes = [{ left: 0, width: 100 }, { left: 100, width: 6 }, { left: 106, width: 6 },
                 { left: 112, width: 80 }];
  return [50, 85, 102, 104, 107, 130, 150, 300].map((x) => pressed(boxes, x));
})"""


@pytest.mark.slow
def test_the_nearest_narrow_stretch_is_meant(browser: Browser, page_server: Running) -> None:
    page, _ = opened(browser, page_server)
    assert page.evaluate(PRESSED) == [0, 1, 1, 1, 2, 2, 3, -1]
    page.context.close()
