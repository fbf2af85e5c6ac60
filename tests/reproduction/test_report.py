"""The report: the cells' own numbers, every protocol beside the others, nothing from outside."""

from __future__ import annotations

import csv
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lab_makers import bands_store

from genrescope.lab.metrics import score
from genrescope.reproduction.cells import Data, run_cells
from genrescope.reproduction.figures import draw_confusion, draw_curves, svg
from genrescope.reproduction.plan import quick_plan
from genrescope.reproduction.report import write_report
from genrescope.reproduction.results import read_results
from genrescope.reproduction.tables import INPUT_NAMES, make_tables

FACTS = {"frames": "Here <13> a second.", "data": "Here 36."}
KEPT = ("knn-10", "logistic", "src", "cnn", "bigru")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a few cells, and their report."""
    out = tmp_path_factory.mktemp("results")
    store = bands_store(12, n_frames=100)
    cells = [c for c in quick_plan(audio=False) if c.model in KEPT and c.protocol != "artists"]
    run_cells(cells, Data({("all", "mel"): lambda: store}), out)
    write_report(out, read_results(out), title="A & B", facts=FACTS, quick=True)
    return out


def test_every_figure_of_the_tables_is_its_cell_s(folder: Path) -> None:
    results = read_results(folder)
    page = (folder / "report.html").read_text()
    n, kinds = 0, {name: kind for kind, name in INPUT_NAMES.items()}
    for name, table in (("nets", "cnn"), ("baselines", "knn-10")):
        with (folder / f"{name}.csv").open() as file:
            lines = [line for line in csv.DictReader(file) if line["model"] == table]
        assert {line["protocol"] for line in lines} == {"windows", "tracks"}
        for line in lines:
            result = results[f"{line['protocol']}/all-{kinds[line['input']]}/{table}/seed0"]
            scores = result[result["level"]]
            for key in ("accuracy", "precision", "recall", "f1"):
                assert float(line[key]) == pytest.approx(scores[key]["value"], abs=1e-6)
            assert f"<b>{scores['accuracy']['value']:.3f}</b>" in page
            assert line["leaky"] == ("yes" if line["protocol"] == "windows" else "no")
            n += 1
    assert n == 6


def test_the_page_needs_nothing_else_and_says_what_is_leaky(folder: Path) -> None:
    page = (folder / "report.html").read_text()

    class Links(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.found: list[str] = []
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.found += [v or "" for k, v in attrs if k in ("src", "href", "xlink:href")]
            self.found += [tag] if tag in ("script", "link", "img", "iframe") else []

    links = Links()
    links.feed(page)
    assert all(link.startswith(("#", "data:")) for link in links.found)
    outside = [u for u in re.findall(r"https?://[^\"' )]+", page) if "w3.org" not in u]
    assert outside == []
    assert "windows (leaky)" in page
    assert "prefers-color-scheme: dark" in page
    assert "width=device-width" in page
    assert "A &amp; B" in page
    assert "&lt;13&gt;" in page
    assert "quick trial" in page
    assert "no GTZAN track" in page
    assert page.count("<svg") == 1 + 2 + 4  # protocols, curves, confusion matrices


def test_identifiers_of_pictures_do_not_meet(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', page)) <= set(ids)


def test_pictures_are_kept_as_files_too(folder: Path) -> None:
    pictures = {path.name for path in (folder / "pictures").iterdir()}
    assert {"protocols.png", "curves-windows.png", "confusion-tracks-cnn.png"} <= pictures
    for path in (folder / "pictures").iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")


def test_genres_without_a_clip_and_cells_without_a_date_are_said(
    folder: Path, tmp_path: Path
) -> None:
    assert "none of" not in (folder / "report.html").read_text()
    assert "carry no date" not in (folder / "report.html").read_text()
    results = read_results(folder)
    cell = results["tracks/all-mel/cnn/seed0"]
    cell["confusion"][0] = [0] * len(cell["labels"])
    del cell["date"]
    page = write_report(tmp_path, results, title="A", facts=FACTS).read_text()
    assert page.count(f"none of {cell['labels'][0]}") == 3  # the CNN's, and its votes'
    assert "but for 1 cells that carry no date" in page


def test_curves_without_validation_say_so(folder: Path, tmp_path: Path) -> None:
    words = "All are of training, and no line is solid"
    assert words not in (folder / "report.html").read_text()
    results = read_results(folder)
    for net in ("cnn", "bigru"):
        for epoch in results[f"tracks/all-mel/{net}/seed0"]["history"]:
            epoch |= {"valid_loss": None, "valid_accuracy": None}
    page = write_report(tmp_path, results, title="A", facts=FACTS).read_text()
    captions = re.findall("<figcaption>(.*?)</figcaption>", page)
    assert [c.split(":")[0] for c in captions if words in c] == ["tracks"]


def test_the_page_says_what_its_nets_were_developed_on(folder: Path) -> None:
    page = " ".join((folder / "report.html").read_text().split())
    assert "Within a cell nothing is fitted, scaled or chosen" in page
    assert "developed on GTZAN's fault-filtered validation part" in page


def test_summaries_of_mel_and_of_sound_have_names_of_their_own(folder: Path) -> None:
    results = {k: r for k, r in read_results(folder).items() if r["model"] == "logistic"}
    of_sound = {k.replace("all-", "audio-"): r | {"data": "audio"} for k, r in results.items()}
    tables = {table.name: table for table in make_tables(results | of_sound)}
    (mel,), (sound,) = tables["field"].rows, tables["input-baselines"].rows
    assert (mel.input, sound.input) == ("summary of the mel", "summary features")


def test_the_voting_cnn_counts_windows(folder: Path) -> None:
    results = read_results(folder)
    field = next(t for t in make_tables(results) if t.name == "field")
    hard, mean = (row for row in field.rows if row.model.startswith("voting"))
    result = results["tracks/all-mel/cnn/seed0"]
    assert hard.entries["tracks"].scores == result["hard"]
    assert mean.entries["tracks"].scores == result["track"]
    assert {row.model for row in field.rows} >= {"logistic", "src"}
    published = {row.model: row.published for row in field.rows}
    assert published["src"] is not None
    assert published["logistic"] is None


def _seed(number: int, hits: list[bool]) -> dict[str, Any]:
    labels = [0] * len(hits)
    probs = [[0.9, 0.1] if hit else [0.1, 0.9] for hit in hits]
    return {
        **{"protocol": "tracks", "data": "all", "input": "mel", "model": "cnn", "seed": number},
        **{"recipe": None, "level": "track", "part": "test", "folds": [1, 5], "seconds": 1.0},
        **{"labels": ["a", "b"], "confusion": [[sum(hits), len(hits) - sum(hits)], [0, 0]]},
        **dict.fromkeys(("track", "hard"), score(np.array(labels), np.array(probs)).to_dict()),
        "answers": {
            "members": [f"t{i}" for i in range(len(hits))],
            "labels": labels,
            "probs": probs,
        },
    }


def test_seeds_are_pooled_and_tracks_drawn_whole() -> None:
    hits = [[True] * 10 + [False] * 10, [True] * 16 + [False] * 4]
    results = {str(k): _seed(k, some) for k, some in enumerate(hits)}
    row = make_tables(results)[0].rows[0].entries["tracks"]
    assert row.n_seeds == 2
    assert row.n == 20
    assert row.by_seed == (0.5, 0.8)
    assert row.scores["accuracy"]["value"] == pytest.approx(0.65)
    pooled = row.scores["accuracy"]["high"] - row.scores["accuracy"]["low"]
    rows = [t for some in hits for t in some]
    probs = np.array([[0.9, 0.1] if hit else [0.1, 0.9] for hit in rows])
    apart = score(np.zeros(40, int), probs).accuracy
    assert pooled > apart.high - apart.low


def test_the_order_of_the_nets_is_told_by_the_clips_both_answered(folder: Path) -> None:
    results = read_results(folder)
    page = (folder / "report.html").read_text()
    with (folder / "order.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert {(line["net"], line["less"]) for line in lines} == {("bigru", "cnn")}
    assert {line["protocol"] for line in lines} == {"windows", "tracks"}
    for line in lines:
        ahead, behind = (
            results[f"{line['protocol']}/all-mel/{line[key]}/seed0"] for key in ("net", "less")
        )
        value = (
            ahead[ahead["level"]]["accuracy"]["value"]
            - behind[behind["level"]]["accuracy"]["value"]
        )
        if line["protocol"] == "tracks":  # at the level of windows of clips `score` has more rows
            assert float(line["accuracy"]) == pytest.approx(value, abs=1e-6)
        assert float(line["low"]) <= float(line["accuracy"]) <= float(line["high"])
        assert f"<b>{float(line['accuracy']):+.3f}</b>" in page


def test_a_picture_takes_the_page_s_ink() -> None:
    text = svg(draw_confusion([[3, 1], [0, 4]], ["fado", "polka"], "cnn, windows (leaky)"), "one")
    assert text.startswith("<svg")
    assert "currentColor" in text
    assert ">75<" in text
    assert "fado" in text
    assert "windows (leaky)" in text
    epochs = [
        {"epoch": i, "train_loss": 1.0, "train_accuracy": 0.5, "valid_loss": None}
        | {"valid_accuracy": None}
        for i in range(3)
    ]
    assert "cnn" in svg(draw_curves({"cnn": epochs}, "windows (leaky)"), "two")
