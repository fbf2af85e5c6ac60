"""The tries of a visit: side by side, from several files, as a table, shared, forgotten."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
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
from playwright.sync_api import Browser, Page, Route, expect
from web.serving import Running, wav

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FORMULA = '=1+1, "or" so.wav'


def _several(page: Page) -> None:
    send(page, song(3, "a.wav"), Recording("words.txt", b"These are words."), song(4, FORMULA))
    expect(page.locator("#visit")).to_be_visible(timeout=RESULT_MS)


@pytest.mark.parametrize("screen", [DESK, PHONE], ids=["desk", "phone"])
def test_several_files_become_a_table(
    browser: Browser, page_server: Running, screen: dict[str, object]
) -> None:
    page, _ = opened(browser, page_server, **screen)
    _several(page)
    expect(page.get_by_role("heading", level=1, name="What it heard")).to_be_focused()
    rows = page.locator(".try")
    expect(rows).to_have_count(3)
    assert rows.nth(1).inner_text().count("words.txt") == 1
    expect(rows.nth(1)).to_contain_text("It is in no sound format")
    expect(rows.nth(1).get_by_role("button")).to_have_count(0)
    assert no_sideways_scroll(page)

    page.get_by_role("button", name="Play a.wav").click()
    page.wait_for_function("() => !document.querySelector('#audio-try').paused")
    page.get_by_role("button", name="Pause a.wav").click()
    page.wait_for_function("() => document.querySelector('#audio-try').paused")

    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    table = list(csv.DictReader(io.StringIO(text)))
    assert [row["file"] for row in table] == ["a.wav", "words.txt", f"'{FORMULA}"]
    assert all(len(row) == 16 for row in table)  # ten genres among them
    assert float(table[0]["confidence"]) == pytest.approx(float(table[0][table[0]["genre"]]))
    assert table[1]["genre"] == ""
    assert "words.txt" in table[1]["error"]
    page.context.close()


def test_reload_back_and_the_other_language_keep_the_table(
    browser: Browser, page_server: Running
) -> None:
    page, _ = opened(browser, page_server, **DESK)
    uploaded(page)  # a result of before does not come back in the table's place
    _several(page)
    assert page.title() == "What it heard · Genrescope"
    page.wait_for_function("sessionStorage['genrescope visit'].includes('words.txt')")
    page.reload()
    expect(page.get_by_role("heading", level=1, name="What it heard")).to_be_visible()
    expect(page.locator(".try")).to_have_count(4)
    page.get_by_role("link", name="Deutsch").click()
    expect(page.get_by_role("heading", level=1, name="Das war zu hören")).to_be_visible()
    page.goto(f"{page_server.url}/api/v1/docs")
    page.go_back()
    expect(page.get_by_role("heading", level=1, name="Das war zu hören")).to_be_visible()
    expect(page.locator(".try")).to_have_count(4)
    page.context.close()


def test_a_try_is_opened_again_and_two_are_compared(browser: Browser, page_server: Running) -> None:
    page, _ = opened(browser, page_server, **DESK)
    _several(page)
    first = page.locator(".try-open").last
    genre = first.inner_text()
    first.click()
    expect(page.get_by_role("heading", level=1, name=genre)).to_be_visible()
    expect(page.locator("#sound-note")).to_have_text("a.wav")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_enabled(timeout=RESULT_MS)
    expect(page.get_by_role("radio", name="More beautiful")).to_be_enabled(timeout=RESULT_MS)
    expect(page.locator(".try-open").last).to_have_attribute("aria-current", "true")

    versus = page.get_by_role("region", name="Side by side")
    expect(versus).to_be_hidden()
    boxes = page.get_by_role("checkbox", name="Compare")
    boxes.first.check()
    boxes.last.check()
    expect(versus.get_by_role("row")).to_have_count(11)
    expect(versus.get_by_role("columnheader")).to_have_text(["Genre", FORMULA, "a.wav"])
    uploaded(page, song(5, "c.wav"))  # three now: the two that were ticked first stay
    expect(versus).to_be_visible()
    page.get_by_role("checkbox", name="Compare c.wav").check()
    assert page.locator("#tries input:checked").count() == 2
    expect(versus.get_by_role("columnheader")).to_have_text(["Genre", "a.wav", "c.wav"])
    page.context.close()


def test_beside_silence_no_genre_has_a_share(browser: Browser, page_server: Running) -> None:
    page, _ = opened(browser, page_server, **DESK)
    silence = Recording("silence.wav", wav(np.zeros(22_050 * 4, np.float32)))
    send(page, song(3, "a.wav"), silence)
    boxes = page.get_by_role("checkbox", name="Compare")
    expect(boxes).to_have_count(2, timeout=RESULT_MS)
    page.get_by_role("checkbox", name="Compare a.wav").check()
    page.get_by_role("checkbox", name="Compare silence.wav").check()
    rows = page.get_by_role("region", name="Side by side").get_by_role("row")
    expect(rows).to_have_count(11)
    for row in rows.all()[1:]:
        shares = row.get_by_role("cell").all_inner_texts()
        assert "%" in shares[0]
        assert shares[1] == "–"
    page.context.close()


def test_several_files_can_be_cut_short(browser: Browser, page_server: Running) -> None:
    page, _ = opened(browser, page_server, **DESK)
    asked: list[Route] = []

    def answer(route: Route) -> None:
        asked.append(route)
        if len(asked) == 1:
            route.continue_()  # and the second is never answered

    page.route("**/api/v1/classify*", answer)
    send(page, song(3, "a.wav"), song(3, "b.wav"), song(3, "c.wav"))
    expect(page.locator("#hint")).to_contain_text("b.wav", timeout=RESULT_MS)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".try")).to_have_count(1)
    expect(page.locator(".try")).to_contain_text("a.wav")
    page.wait_for_timeout(500)
    assert len(asked) == 2  # the third is not sent
    page.context.close()


def test_opening_again_uploads_nothing_that_is_there(
    browser: Browser, page_server: Running
) -> None:
    page, _ = opened(browser, page_server, **DESK)
    uploaded(page, song(3, "a.wav"))
    uploaded(page, song(4, "b.wav"))
    expect(page.locator("#tracks li").first).to_be_visible(timeout=RESULT_MS)
    sent: list[str] = []
    page.on("request", lambda r: sent.append(r.url) if r.method == "POST" else None)
    page.locator(".try-open").last.click()
    expect(page.get_by_role("radio", name="More beautiful")).to_be_enabled(timeout=RESULT_MS)
    assert [url for url in sent if "similar" not in url] == []
    page.context.close()


def test_nothing_is_kept_once_it_is_forgotten(browser: Browser, page_server: Running) -> None:
    page, _ = opened(browser, page_server, **DESK)
    uploaded(page)
    page.wait_for_function("() => sessionStorage.length > 0")
    page.get_by_role("button", name="Forget all").click()
    expect(page.get_by_role("button", name="Start")).to_be_focused()
    expect(page.locator("#visit")).to_be_hidden()
    assert page.evaluate("sessionStorage.length") == 0
    page.context.close()


CROWDED = """async () => {
  const keep = await import("/static/keep.js");
  const answer = { genre: "jazz", spectrogram: { data: "x".repeat(400_000) } };
  const sound = { name: "a", recorded: false, blob: new Blob(["y".repeat(700_000)]) };
  const tries = Array.from({ length: 30 }, (_, i) => ({ id: i + 1, name: `${i}`, answer, sound }));
  await keep.save(tries, 30);
  return keep.load().tries.map((t) => [t.name, t.answer.genre, Boolean(t.answer.spectrogram)]);
}"""


def test_where_room_is_short_the_figures_stay(browser: Browser, page_server: Running) -> None:
    page, _ = opened(browser, page_server, **DESK)
    kept = page.evaluate(CROWDED)
    assert [name for name, _, _ in kept] == [str(i) for i in range(30)]
    assert {genre for _, genre, _ in kept} == {"jazz"}
    assert [pictured for _, _, pictured in kept] == [False] * 29 + [True]
    page.context.close()


def test_share_a_picture_and_a_link(browser: Browser, page_server: Running) -> None:
    page, watch = opened(browser, page_server, **DESK)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    uploaded(page, song(6, "my secret song.wav"))
    genre = page.locator("#genre").inner_text()
    bars = page.locator("#bars").inner_text()
    page.get_by_role("button", name="Share").click()
    dialog = page.get_by_role("dialog", name="Share this result")
    expect(dialog.get_by_role("img", name=genre)).to_be_visible()
    with page.expect_download() as download:
        dialog.get_by_role("link", name="Save the picture").click()
    picture = Path(download.value.path()).read_bytes()
    assert picture.startswith(b"\x89PNG")
    size = [int.from_bytes(picture[at : at + 4], "big") for at in (16, 20)]
    assert size == [1200, 630]
    drawn = "c => new Set(c.getContext('2d').getImageData(0, 0, 1200, 630).data).size"
    assert page.locator("#card").evaluate(drawn) > 50
    dialog.get_by_role("button", name="Copy the link").click()
    expect(dialog.get_by_role("status")).to_have_text("The link is copied.")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == page.locator("#share-url").input_value()
    assert "secret" not in page.evaluate(
        "l => atob(new URL(l).hash.slice(7).replaceAll('-', '+').replaceAll('_', '/'))", link
    )
    assert watch.troubles == []
    page.context.close()

    other, watch = opened(browser, page_server, **PHONE)
    asked: list[str] = []
    other.on("request", lambda r: asked.append(r.url))
    other.goto("about:blank")
    other.goto(link)
    expect(other.get_by_role("heading", level=1, name=genre)).to_be_visible()
    assert other.locator("#bars").inner_text() == bars
    expect(other.locator("#sound-note")).to_contain_text("shared this result")
    expect(other.locator(".stretch").first).to_be_visible()
    for absent in ("#scope-picture", "#wave", "#play", "#similar"):
        expect(other.locator(absent)).to_be_hidden()
    assert not any("#" in url or "heard" in url for url in asked if url != link)
    assert no_sideways_scroll(other)
    assert watch.troubles == []
    other.context.close()


@pytest.mark.parametrize(
    "figures",
    [
        "not base64!",
        '{"g": 0}',
        '{"g":0,"p":[["a",1e9]],"s":[],"t":[],"d":1,"f":[],"b":"x"}',
        '{"g":5,"p":[["a",1]],"s":[],"t":[],"d":1,"f":[],"b":"x"}',
        '{"g":0,"p":[["a",1]],"s":[],"t":[[9,1,0,1]],"d":1,"f":[],"b":"x"}',
        '{"g":0,"p":[["' + "a" * 110 + '",1]],"s":[],"t":[],"d":1,"f":[],"b":"x"}',
    ],
)
def test_a_link_of_nonsense_shows_the_start(
    browser: Browser, page_server: Running, figures: str
) -> None:
    page, watch = opened(browser, page_server, **DESK)
    page.evaluate(
        "f => { location.hash = '#heard=' + (f.startsWith('{') ? btoa(f) : f); }", figures
    )
    page.reload()
    expect(page.get_by_role("button", name="Start")).to_be_visible()
    assert watch.troubles == []
    page.context.close()


def test_names_in_a_link_are_only_text(browser: Browser, page_server: Running) -> None:
    page, watch = opened(browser, page_server, **DESK)
    figures = (
        '{"g":0,"p":[["<img src=x onerror=alert(1)>",9000]],"s":[],"t":[],"d":10,"f":[],"b":"x"}'
    )
    page.evaluate("f => { location.hash = '#heard=' + btoa(f); }", figures)
    expect(page.locator("#genre")).to_contain_text("<img")
    assert page.locator("#genre img").count() == 0
    assert watch.troubles == []
    page.context.close()
