"""Tempo and key on the page: told where the bundle has them, and heard."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from bundle_maker import make_bundle
from e2e.driving import Recording, opened, uploaded
from heads_maker import tiny_heads
from playwright.sync_api import Browser, expect
from web.serving import Running, serve, wav

from genrescope.web.app import create_app

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

# Counts the tones that the page makes.
_COUNT = """
window.tones = [];
const make = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (when) {
  window.tones.push(this.frequency.value);
  return make.call(this, when);
};
true;
"""


_COUNTED = """async ([bpm, other]) => {
  const { showBeat } = await import("/static/beat.js");
  showBeat({ genre: "jazz", flags: [], tempo: { bpm, other, confidence: 0.9 }, key: null });
}"""


_SHOW = """async ({ name, flags }) => {
  const { showBeat } = await import("/static/beat.js");
  showBeat({ genre: "jazz", flags, tempo: null, key: { name, camelot: "6A", confidence: 1 } });
}"""


@pytest.fixture(scope="module")
def hearing_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    bundle = make_bundle(tmp_path_factory.mktemp("heads") / "b", heads=tiny_heads())
    with serve(create_app(bundle=bundle.path)) as running:
        yield running


def _plucked() -> Recording:
    """Twelve seconds of an A, plucked 120 times a minute."""
    times = np.arange(12 * 22_050) / 22_050
    since = np.mod(times, 0.5)
    samples = 0.5 * np.sin(2 * np.pi * 880 * times) * np.exp(-since / 0.08)
    return Recording("plucked.wav", wav(samples.astype(np.float32)))


def test_tempo_and_key_are_told_and_heard(browser: Browser, hearing_server: Running) -> None:
    page, watch = opened(browser, hearing_server)
    page.evaluate(_COUNT)
    uploaded(page, _plucked())
    expect(page.locator("#beat-tempo")).to_contain_text("beats a minute")
    expect(page.locator("#beat-key")).to_contain_text("Key: A major, 11B")
    page.get_by_role("button", name="Play the scale").click()
    scale = page.evaluate("window.tones")
    assert len(scale) == 8
    assert scale[0] == pytest.approx(220)
    assert scale[-1] == pytest.approx(440)
    page.get_by_label("Tick along").check()
    for _ in range(300):
        if len(page.evaluate("window.tones")) >= 11:
            break
        page.wait_for_timeout(100)  # ms
    page.get_by_label("Tick along").uncheck()
    assert set(page.evaluate("window.tones.slice(8)")) == {1500}
    assert watch.troubles == []


def test_in_german(browser: Browser, hearing_server: Running) -> None:
    page, _ = opened(browser, hearing_server, locale="de-DE")
    page.set_input_files("#file", [_plucked().payload()])  # type: ignore[list-item]
    expect(page.locator("#beat-key")).to_contain_text("A-Dur", timeout=60_000)
    page.evaluate(_SHOW, {"name": "C♯ minor", "flags": []})
    expect(page.locator("#beat-key")).to_contain_text("cis-Moll")


def test_another_way_to_count_is_told_and_another_guess_at_the_same_beat_is_not(
    browser: Browser, hearing_server: Running
) -> None:
    page, _ = opened(browser, hearing_server)
    tempo = page.locator("#beat-tempo")
    for other in (60.0, 90.0, 240.0):
        page.evaluate(_COUNTED, [120.0, other])
        expect(tempo).to_have_text(f"120 beats a minute (90%). Some would count {other:.0f}.")
    for no_other in (126.0, 115.0, None):
        page.evaluate(_COUNTED, [120.0, no_other])
        expect(tempo).to_have_text("120 beats a minute (90%).")
    page.context.close()


def test_what_is_no_music_has_neither(browser: Browser, hearing_server: Running) -> None:
    page, _ = opened(browser, hearing_server)
    uploaded(page, _plucked())
    expect(page.locator("#beat")).to_be_visible()
    page.evaluate(_SHOW, {"name": "G minor", "flags": ["no music"]})
    expect(page.locator("#beat")).to_be_hidden()


def test_a_bundle_that_tells_neither_shows_neither(browser: Browser, page_server: Running) -> None:
    page, _ = opened(browser, page_server)
    uploaded(page)
    expect(page.locator("#beat")).to_be_hidden()
