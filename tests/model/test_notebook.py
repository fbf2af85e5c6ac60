from __future__ import annotations

import dataclasses
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from genrescope.errors import GenrescopeError
from genrescope.model import Classifier, Prediction
from genrescope.model.prediction import SILENT

LABELS = ("jazz", "<script>alert(1)</script>", "rock' onload='x")


def make(flags: tuple[str, ...] = (), path: str | None = None) -> Prediction:
    probs = np.array([[0.1, 0.7, 0.2], [0.2, 0.1, 0.7]], np.float32)
    times = np.array([[0.0, 5.0], [5.0, 10.0]])
    return Prediction(
        LABELS, times, probs, times, probs, probs.mean(axis=0), np.zeros(4, np.float32), flags,
        10.0, "tiny", path=path,
    )  # fmt: skip


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_names_are_text_and_nothing_is_loaded() -> None:
    shown = make()._repr_html_()
    tags = Tags(shown).found
    assert {tag for tag, _ in tags} <= {
        "div", "p", "strong", "table", "tr", "th", "td", "span",
    }  # fmt: skip
    assert not any(key.startswith("on") or key in ("src", "href") for _, a in tags for key in a)
    assert "40.0%" in shown
    assert [a["title"] for t, a in tags if t == "span"] == [
        f"{LABELS[1]}, 0.0 to 5.0 s, 70%", f"{LABELS[2]}, 5.0 to 10.0 s, 70%",
    ]  # fmt: skip


def test_the_player_holds_the_file(tiny_bundle: Path) -> None:
    sample = Path("genrescope/samples/disco.ogg").resolve()
    prediction = Classifier.load(tiny_bundle).classify(sample)
    assert prediction.path == str(sample)
    (audio,) = [a for tag, a in Tags(prediction._repr_html_()).found if tag == "audio"]
    assert (audio["src"] or "").startswith("data:audio/ogg;base64,")


@pytest.mark.parametrize("path", ["nowhere.ogg", "pyproject.toml"])
def test_without_a_sound_there_is_no_player(path: str) -> None:
    assert "<audio" not in make(path=path)._repr_html_()


def test_silence_has_no_bars() -> None:
    shown = make((SILENT,))._repr_html_()
    assert "silence" in shown
    assert "<td" not in shown


def test_a_figure_shows_bars_and_timeline() -> None:
    pytest.importorskip("matplotlib")
    bars, line = make().plot().axes
    assert sorted(bar.get_width() for bar in bars.patches) == pytest.approx([0.15, 0.4, 0.45])
    assert [bar.get_x() for bar in line.patches] == [0, 5]
    assert list(dataclasses.replace(make(), flags=(SILENT,)).plot().axes[1].patches) == []


def test_without_matplotlib_it_says_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(GenrescopeError, match=r"genrescope\[plot\]"):
        make().plot()
