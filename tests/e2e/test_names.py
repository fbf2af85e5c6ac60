"""A model may come from a stranger: whatever its genres and tracks are called, it is text."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bundle_maker import make_bundle, tiny_catalogue
from e2e.driving import DESK, RESULT_MS, Watch, controlled, no_sideways_scroll, send, song
from node_driver import ORT
from playwright.sync_api import Browser, Page, expect
from web.serving import Running, serve

from genrescope.web.app import create_app

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LONGEST = 100  # letters that a label may have
LABELS = (
    '<img src=x onerror="window.taken=1">',
    "</script><script>window.taken=1</script>",
    '" onmouseover="window.taken=1" x=\'',
    "{genre} ${window.taken=1} {{root}} %s $& $1",
    "W" * LONGEST,
    "\u200f\u0645\u0648\u0633\u064a\u0642\u0649 \u05de\u05d5\u05d6\u05d9\u05e7\u05d4\u200f (live!)",
    "\U0001f3b8" * 60 + "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    ("a name of many words that " * 4)[:LONGEST].strip(),
    "__proto__",
    "constructor",
)
TITLE = "</title></script><script>window.taken=1</script>"
TRACKS = {
    "artist": [
        *LABELS[:4],
        "\u200f\u05d0\u05d1\u05d2\u200f",
        *(f"{'V' * 200} {i}" for i in range(11)),
    ],
    "title": [TITLE, "javascript:window.taken=1", *("\U0001f3ba" * 100 for _ in range(14))],
    "genre": [LABELS[i % len(LABELS)] for i in range(16)],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Its page, and below /local/ the same without a server; two models to choose from."""
    if not ORT.exists():
        pytest.skip("needs ONNX Runtime for browsers: npm ci --prefix page")
    folder = tmp_path_factory.mktemp("bundles")
    bundles = [
        make_bundle(
            folder / name,
            name=TITLE,
            labels=LABELS,
            licence=TITLE,
            catalogue=tiny_catalogue(**TRACKS),
        ).path
        for name in ('<img src=x onerror="taken=1">', "\u200f\u05d0\u05d1 " + "M" * 180)
    ]
    with serve(create_app(bundle=bundles, ort=ORT)) as running:
        yield running


SPOILT = """() => [
  window.taken,
  document.querySelectorAll("img, iframe, script:not([src]), [onerror], [onmouseover]").length,
  document.querySelectorAll("#bars .bar-name").length,
]"""

CUT_OFF = """() => [...document.querySelectorAll(
    "#genre .word, .bar-name, .bar-number, .legend li, .track-link, .track-genre, "
    + ".try-open, .try-sure, .versus-table tbody th, .versus-genre, #why-title, #bundle, .stretch")]
  .filter((element) => element.checkVisibility())
  .filter((element) => {
    const { left, right } = element.getBoundingClientRect();
    const { left: from, right: to } = element.closest(
      "#result, #visit, .panel, #choices").getBoundingClientRect();
    return left < from - 1 || right > to + 1;
  })
  .map((element) => [element.className || element.id, element.textContent.slice(0, 30)])"""


SHOW = """async ([label, labels, base]) => {
  const { showVerdict } = await import(`${base}static/result.js`);
  const rest = labels.map((name) => [name, name === label ? 0.5 : 0.05]);
  showVerdict({ genre: label, confidence: 0.5, genres: labels.slice(0, 3),
    flags: [], probabilities: Object.fromEntries(rest) }, () => {});
}"""


FITTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def _opened(browser: Browser, server: Running, path: str) -> tuple[Page, Watch]:
    page = browser.new_context(**DESK).new_page()
    watch = Watch(page, server.url)
    page.goto(server.url + path)
    expect(page.locator("#version")).to_contain_text("Genrescope 0.", timeout=RESULT_MS)
    if path != "/":
        controlled(page)
    return page, watch


@pytest.mark.parametrize("path", ["/", "/local/"], ids=["served", "without a server"])
def test_names_of_a_stranger_s_model_are_text_and_fit(
    browser: Browser, server: Running, path: str
) -> None:
    page, watch = _opened(browser, server, path)
    assert no_sideways_scroll(page)
    for number in range(2):
        send(page, song(6, f"{TITLE.replace('/', '')}{number}.wav"))
        expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)
        expect(page.locator("#tracks li").first).to_be_visible(timeout=RESULT_MS)
    page.get_by_role("button", name="Why?", exact=True).click()
    expect(page.get_by_role("radio", name="What decided")).to_be_enabled(timeout=2 * RESULT_MS)
    for box in page.locator("#tries input").all():
        box.check()
    expect(page.locator("#versus")).to_be_visible()
    expect(page.locator("#bars .bar-name").filter(has_text="onerror=")).to_have_text(
        '<img src=x onerror="window.taken=1">'
    )
    for width in (320, 390, 820, 1280, 1700):
        page.set_viewport_size({"width": width, "height": 900})
        for label in LABELS:
            page.evaluate(SHOW, [label, LABELS, path])
            page.evaluate(FITTED)
            assert no_sideways_scroll(page), (width, label)
            assert page.evaluate(CUT_OFF) == [], (width, label)
            assert page.locator("#bars .bar-line").first.evaluate("e => e.clientWidth") >= 40
    page.locator("#share").click()
    expect(page.locator("#share-dialog")).to_be_visible()
    link = page.locator("#share-url").input_value()
    page.locator("#share-close").click()
    assert page.evaluate(SPOILT) == [None, 0, len(LABELS)]
    page.goto(link)  # the same figures, from an address
    page.reload()
    expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)
    assert page.evaluate(SPOILT) == [None, 0, len(LABELS)]
    assert watch.troubles == []
    page.context.close()
