"""The page without a server, from a host of files: it names genres itself, and asks nobody."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from e2e.driving import DESK, RESULT_MS, Recording, Watch, controlled, samples_of, send, with_a_rest
from node_driver import ORT, array
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, Request, expect
from web.serving import music, wav

from genrescope.model.bundle import DEFAULT_BUNDLE, Bundle, shipped_bundles
from genrescope.model.classifier import Classifier
from genrescope.web.local import MAX_S
from genrescope.web.site import export_site

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SAMPLES = DEFAULT_BUNDLE.parents[1] / "samples"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the site, below that of its host, as it is of a project on a shared host."""
    if not ORT.exists():
        pytest.skip("needs ONNX Runtime for browsers: npm ci --prefix page")
    folder = tmp_path_factory.mktemp("host")
    bundles = [Bundle.load(path) for path in shipped_bundles()]
    export_site(folder / "genrescope", bundles=bundles, ort=ORT)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/genrescope/"
    server.shutdown()
    thread.join(timeout=30)
    server.server_close()


def opened(browser: Browser, site: str, path: str = "", **context: Any) -> tuple[Page, Watch]:
    """The page with all that it loads: the net, and what it keeps for later."""
    page = browser.new_context(**{**DESK, **context}).new_page()
    watch = Watch(page, site.removesuffix("/genrescope/"))
    page.goto(site + path)
    expect(page.locator("#version")).to_contain_text("Genrescope 0.", timeout=RESULT_MS)
    controlled(page)
    return page, watch


def requests_of(page: Page) -> list[str]:
    """What is asked of any host from now on, but for the page's icon, which Chromium looks up
    when a page plays something."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if request.url.startswith("http") and not request.url.endswith("/favicon.svg"):
            asked.append(request.url)

    page.context.on("request", note)
    return asked


ANSWER = """async (text) => {
  const api = await import("./static/api.js");
  const blob = new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]);
  return api.classify({ blob, name: "a" });
}"""


def answer_of(page: Page, data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(ANSWER, base64.b64encode(data).decode())
    return found


def test_a_file_is_named_without_a_request(browser: Browser, site: str) -> None:
    page, watch = opened(browser, site)
    asked = requests_of(page)
    expect(page.locator("#lead")).to_contain_text("the sound never leaves it")
    send(page, with_a_rest())
    expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)
    expect(page.locator("#tracks")).to_be_attached()
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_enabled(timeout=RESULT_MS)
    expect(page.get_by_role("radio", name="More beautiful")).to_be_hidden()
    page.wait_for_timeout(1000)
    assert asked == []
    assert watch.troubles == []
    page.context.close()


def test_it_may_ask_nobody_else(browser: Browser, site: str) -> None:
    """Neither the page nor its worker, which stands under the page's policy."""
    page, _ = opened(browser, site)
    ask = """async () => {
      const tried = await fetch("http://127.0.0.1:9/").then(() => "asked", (e) => e.name);
      const script = `fetch("http://127.0.0.1:9/").catch((e) => postMessage(e.name));
        addEventListener("securitypolicyviolation", (e) => postMessage(e.violatedDirective));`;
      const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
      const worker = new Worker(url, { type: "module" });
      const said = await new Promise((done) => {
        const all = [];
        worker.onmessage = ({ data }) => all.push(data) === 2 && done(all);
      });
      return [tried, ...said.sort()];
    }"""
    assert page.evaluate(ask) == ["TypeError", "TypeError", "connect-src"]
    page.context.close()


def test_it_works_offline_after_the_first_visit(browser: Browser, site: str) -> None:
    page, _ = opened(browser, site)
    page.context.set_offline(True)
    page.reload()
    expect(page.locator("#version")).to_contain_text("Genrescope 0.", timeout=RESULT_MS)
    page.get_by_role("button", name="A wall of guitars").click()
    expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)
    expect(page.locator("#genre")).to_have_text("Metal")
    page.context.close()


def _odd_files() -> dict[str, Recording]:
    """Files in forms whose rate stands in other places, of one piece of music."""
    files = {}
    for sr, form, subtype in (
        (8_000, "WAV", "PCM_16"),
        (96_000, "WAV", "FLOAT"),
        (48_000, "FLAC", "PCM_24"),
        (32_000, "OGG", "VORBIS"),
        (44_100, "MP3", "MPEG_LAYER_III"),
        (22_050, "MP3", "MPEG_LAYER_III"),
    ):
        file = io.BytesIO()
        samples = music(11, sr=sr)
        samples[: sr // 100] *= np.linspace(0, 1, sr // 100)[:, None]
        sf.write(file, samples, sr, format=form, subtype=subtype)
        files[f"{form} at {sr}"] = Recording(form, file.getvalue())
    return files


def test_files_of_many_kinds_get_python_s_answer(browser: Browser, site: str) -> None:
    page, _ = opened(browser, site)
    classifier = Classifier.load(threads=1)
    for name, recording in _odd_files().items():
        expected = classifier.classify(recording.data, name=name).to_dict()
        found = answer_of(page, recording.data)
        assert found["genre"] == expected["genre"], name
        # Decoders of lossy files need not agree on where a file begins.
        assert found["duration_s"] == pytest.approx(expected["duration_s"], abs=0.06), name
        within = 0.01 if name.startswith(("WAV", "FLAC")) else 0.05
        assert found["probabilities"] == pytest.approx(expected["probabilities"], abs=within), name
    page.context.close()


DECODED = """async (text) => {
  const { decode } = await import("./static/local/decode.js");
  const blob = new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]);
  const taken = [];
  const take = ({ channels }) => taken.push(channels[0].slice());
  await decode(blob, { maxS: 600, take, again: () => taken.splice(0) });
  let bytes = "";
  for (const part of taken) {
    for (const byte of new Uint8Array(part.buffer)) bytes += String.fromCharCode(byte);
  }
  return { samples: btoa(bytes), pieces: taken.length };
}"""


def _long() -> NDArray[np.float32]:
    """63 s of music at 44,100 Hz, two channels."""
    return np.tile(music(7, sr=44_100), (9, 1))


@pytest.mark.parametrize(
    ("form", "subtype", "pieces", "within"),
    [
        ("WAV", "PCM_16", 5, 1e-4),
        ("WAV", "FLOAT", 5, 1e-6),
        ("MP3", "MPEG_LAYER_III", 5, 1e-4),
        ("FLAC", "PCM_16", 1, 1e-4),
    ],
)
def test_long_files_are_decoded_in_pieces_without_a_seam(
    browser: Browser, site: str, form: str, subtype: str, pieces: int, within: float
) -> None:
    page, _ = opened(browser, site)
    file = io.BytesIO()
    sf.write(file, _long()[:, :1], 44_100, format=form, subtype=subtype)
    found = page.evaluate(DECODED, base64.b64encode(file.getvalue()).decode())
    file.seek(0)
    expected, _ = sf.read(file, dtype="float32")
    samples = array(found["samples"])
    assert found["pieces"] == pieces
    assert len(samples) == pytest.approx(len(expected), abs=2)
    n = min(len(samples), len(expected))
    assert np.abs(samples[:n] - expected[:n]).max() < within
    page.context.close()


def test_a_file_that_only_looks_as_if_it_could_be_taken_apart_is_read_whole(
    browser: Browser, site: str
) -> None:
    page, _ = opened(browser, site)
    file = io.BytesIO()
    sf.write(file, _long(), 44_100, format="MP3")
    data = bytearray(file.getvalue())
    data[len(data) // 2 : len(data) // 2] = b"no frame" * 20
    found = page.evaluate(DECODED, base64.b64encode(bytes(data)).decode())
    assert found["pieces"] == 1
    assert len(array(found["samples"])) == pytest.approx(63 * 44_100, rel=0.01)
    page.context.close()


@pytest.mark.parametrize("name", ["disco", "metal", "minuet"])
def test_the_samples_get_python_s_answer(browser: Browser, site: str, name: str) -> None:
    page, _ = opened(browser, site)
    data = (SAMPLES / f"{name}.ogg").read_bytes()
    expected = Classifier.load(threads=1).classify(data, name=name).to_dict()
    found = answer_of(page, data)
    assert found["genre"] == expected["genre"]
    assert found["flags"] == expected["flags"]
    assert found["probabilities"] == pytest.approx(expected["probabilities"], abs=0.01)
    assert found["key"]["name"] == expected["key"]["name"]
    assert found["tempo"]["bpm"] == pytest.approx(expected["tempo"]["bpm"], rel=0.01)
    page.context.close()


def test_what_is_too_long_or_no_sound_is_refused_in_words(browser: Browser, site: str) -> None:
    page, _ = opened(browser, site)
    quiet = np.zeros((round((MAX_S + 1) * 8000), 1), np.float32)
    send(page, Recording("long.wav", wav(quiet, sr=8000)))
    expect(page.locator("#trouble-text")).to_contain_text("the limit is 10 minutes", timeout=60_000)
    send(page, Recording("odd.wav", b"this is no sound at all" * 50))
    expect(page.locator("#trouble-text")).to_contain_text("cannot read", timeout=RESULT_MS)
    page.context.close()


def test_it_guesses_while_it_records_and_asks_nobody(browser: Browser, site: str) -> None:
    page, watch = opened(browser, site)
    asked = requests_of(page)
    page.get_by_role("button", name="Start").click()
    guess = page.locator("#guess")
    expect(guess.locator(".guess-name")).not_to_be_empty(timeout=RESULT_MS)
    expect(page.locator("#record-time")).to_have_text("0:06", timeout=RESULT_MS)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)
    assert asked == []
    assert watch.troubles == []
    page.context.close()


LIVE = """async () => {
  const { listenIn } = await import("./static/api.js");
  const stream = await navigator.mediaDevices.getUserMedia({ audio: {
    echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
  const ear = listenIn(stream);
  await ear.opened;
  const taken = [];
  const hand = ear.tap.port.onmessage;
  ear.tap.port.onmessage = (event) => {
    if (event.data) taken.push(event.data.map((channel) => channel.slice()));
    hand(event);
  };
  const signal = new AbortController().signal;
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await ear.guess({ signal });
  }
  const rate = ear.context.sampleRate;
  const heard = await ear.finish();
  stream.getTracks().forEach((track) => track.stop());
  const text = (channel) => {
    let bytes = "";
    for (const byte of new Uint8Array(channel.buffer)) bytes += String.fromCharCode(byte);
    return btoa(bytes);
  };
  return { heard, taken: taken.map((channels) => channels.map(text)), rate };
}"""


def test_at_stop_it_says_what_the_same_samples_say_offline(browser: Browser, site: str) -> None:
    page, _ = opened(browser, site)
    found = page.evaluate(LIVE)
    blocks = [np.stack([array(channel) for channel in block]) for block in found["taken"]]
    samples = np.concatenate(blocks, axis=1)
    assert samples.shape[1] > 3 * found["rate"]
    file = io.BytesIO()
    sf.write(file, samples.T, round(found["rate"]), format="WAV", subtype="FLOAT")
    offline = answer_of(page, file.getvalue())
    assert found["heard"]["probabilities"] == pytest.approx(offline["probabilities"], abs=1e-4)
    in_python = Classifier.load(threads=1).classify(file.getvalue()).to_dict()
    assert found["heard"]["probabilities"] == pytest.approx(in_python["probabilities"], abs=0.01)
    page.context.close()


def test_it_says_why(browser: Browser, site: str) -> None:
    page, watch = opened(browser, site)
    asked = requests_of(page)
    send(page, Recording("disco.ogg", (SAMPLES / "disco.ogg").read_bytes()))
    expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)
    page.locator("#why-open").click()
    expect(page.locator("#why-words")).not_to_be_empty(timeout=4 * RESULT_MS)
    expect(page.locator("#overlay")).to_be_visible()
    expect(page.locator("#beat-tempo")).to_contain_text("beats a minute")
    expect(page.locator("#beat-key")).to_contain_text("Camelot")
    for part in ("What decided", "What did not matter"):
        page.get_by_role("radio", name=part).check(timeout=RESULT_MS)
        page.get_by_role("button", name="Play", exact=True).click()
        expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
        page.get_by_role("button", name="Pause", exact=True).click()
    assert asked == []
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save what decided").click()
    decided = samples_of(saved.value.path())
    assert decided.ndim == 1
    assert 0.01 < np.abs(decided).max() <= 1
    assert watch.troubles == []
    page.context.close()


def test_another_model_can_be_chosen(browser: Browser, site: str) -> None:
    page, watch = opened(browser, site)
    page.get_by_label("Model:").select_option("wide")
    expect(page.locator("#honesty")).to_contain_text("11 genres", timeout=RESULT_MS)
    send(page, Recording("disco.ogg", (SAMPLES / "disco.ogg").read_bytes()))
    expect(page.locator("#result")).to_be_visible(timeout=RESULT_MS)
    expect(page.locator("#bars li")).to_have_count(11)
    expected = Classifier.load("wide", threads=1).classify(SAMPLES / "disco.ogg")
    expect(page.locator("#genre")).to_have_text(expected.genre.capitalize())
    page.get_by_role("button", name="Record again").first.click()
    expect(page.locator("#record-time")).to_have_text("0:04", timeout=RESULT_MS)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#bars li")).to_have_count(11, timeout=RESULT_MS)
    assert watch.troubles == []
    page.context.close()


def test_it_speaks_german(browser: Browser, site: str) -> None:
    page, watch = opened(browser, site)
    page.locator("#language").click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.locator("#lead")).to_contain_text("Der Klang verlässt ihn nie")
    page.locator("#language").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert watch.troubles == []
    page.context.close()


def test_a_bundle_that_was_changed_is_refused(browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    if not ORT.exists():
        pytest.skip("needs ONNX Runtime for browsers: npm ci --prefix page")
    export_site(folder, bundles=[Bundle.load()], ort=ORT)
    path = folder / "bundle" / "0" / "bundle.json"
    changed = json.loads(path.read_text(encoding="utf-8"))
    changed["labels"].reverse()
    path.write_text(json.dumps(changed), encoding="utf-8")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{server.server_port}/")
    send(page, with_a_rest())
    expect(page.locator("#trouble-text")).to_contain_text("Something went wrong", timeout=RESULT_MS)
    page.close()
    server.shutdown()
    thread.join(timeout=30)
    server.server_close()
