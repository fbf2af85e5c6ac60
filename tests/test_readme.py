"""README and model card say what the shipped bundle says, and the pages what was computed."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from genrescope.cli import VERBS
from genrescope.model.bundle import Bundle
from genrescope.model.card import model_card

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TRAINING = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
ACCURACY = ROOT / "docs" / "accuracy.md"


def test_the_readmes_figures_are_the_shipped_bundles() -> None:
    metrics = Bundle.load().metrics
    assert metrics
    for row in metrics:
        figures = f"{row['accuracy']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
        line = next(line for line in README.splitlines() if figures in line)
        assert f"`{row['protocol']}`" in line
        assert str(row["n"]) in line


def test_the_page_of_accuracy_has_the_figures_of_eleven_genres() -> None:
    bundle = Bundle.load("wide")
    page = ACCURACY.read_text(encoding="utf-8").partition("## Eleven genres")[2]
    assert len(bundle.labels) == 11
    for row in bundle.metrics:
        figures = f"{row['accuracy']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
        line = next(line for line in page.splitlines() if figures in line)
        assert f"`{row['protocol']}`" in line
        assert f"| {row['n']} |" in line


def test_the_readme_says_what_is_short() -> None:
    window_s = Bundle.load().window_s
    assert f"one shorter than {window_s:g} s is flagged `short`" in README
    assert (
        TRAINING.count(f"--window {window_s:g} ") + TRAINING.count(f"--window {window_s:g}`") >= 3
    )


def test_the_shipped_recipe_is_the_one_in_the_repository() -> None:
    pytest.importorskip("torch")
    from genrescope.lab.training.recipe import SHIPPED_RECIPE, Recipe

    assert Recipe.from_dict(Bundle.load().training["recipe"]) == Recipe.load(SHIPPED_RECIPE)


def test_the_page_of_degradations_has_the_shipped_bundles_figures() -> None:
    page = (ROOT / "docs" / "results" / "degradations.md").read_text(encoding="utf-8")
    rows = Bundle.load().degradations
    assert rows
    for row in rows:
        line = next(line for line in page.splitlines() if line.startswith(f"| {row['name']} |"))
        assert f"| {row['accuracy']:.3f} | {row['low']:.3f} to {row['high']:.3f} |" in line
        if row["name"] != "clean":
            assert f"| {row['drop']:+.3f} |" in line


RESULTS = ROOT / "docs" / "results" / "reproduce"
ROWS = {
    "kNN, n = 10": ("baselines", "knn-10", "band statistics"),
    "SVM": ("baselines", "svm", "mel"),
    "CNN": ("nets", "cnn", "mel"),
    "plain CNN": ("nets", "cnn", "mel"),
    "Bi-GRU": ("nets", "bigru", "mel"),
    "ResNet18": ("nets", "resnet18", "mel"),
    "Res-BiGRU": ("nets", "res-bigru", "mel"),
    "Compact": ("nets", "compact", "mel"),
}
"""First words of a line of a page -> file, model and input of the rows of its figures."""


@pytest.mark.parametrize("path", [ACCURACY, RESULTS / "README.md"], ids=["short", "long"])
def test_the_tables_of_the_talk_s_models_are_those_that_were_computed(path: Path) -> None:
    computed = {}
    for name in ("baselines", "nets"):
        with (RESULTS / f"{name}.csv").open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                figures = (f"{float(row[k]):.3f}".lstrip("0") for k in ("accuracy", "low", "high"))
                key = (name, row["model"], row["input"], row["protocol"])
                computed[key] = "{} [{}, {}]".format(*figures)
    lines = path.read_text(encoding="utf-8").splitlines()
    top = next(i for i, line in enumerate(lines) if "(the talk's figure)" in line)
    protocols = [re.search("`(.+?)`", cell) for cell in lines[top].split("|")[2:-1]]
    shown = 0
    for line in lines[top + 2 :]:
        if not line.startswith("|"):
            break
        model, *cells = (cell.strip() for cell in line.split("|")[1:-1])
        row_of = ROWS[max((name for name in ROWS if model.startswith(name)), key=len)]
        for protocol, cell in zip(protocols, cells, strict=True):
            assert protocol is not None
            assert re.sub(r"\b0\.", ".", cell) == computed[(*row_of, protocol[1])], line
            shown += 1
    assert shown == 7 * len(protocols)


def test_the_model_card_is_made_from_the_bundle() -> None:
    bundle = Bundle.load()
    card = (bundle.path / "MODEL_CARD.md").read_text(encoding="utf-8")
    figures = model_card(bundle).split("## Files")[0]
    assert card.startswith(figures)


def test_the_readme_names_every_verb_and_only_files_that_exist() -> None:
    assert all(f"`{verb}`" in README or f"genrescope {verb}" in README for verb in VERBS)
    linked = re.findall(r"\]\(([^)#]+)\)", README)
    assert linked
    assert [path for path in linked if "//" not in path and not (ROOT / path).exists()] == []


def test_the_readme_is_short() -> None:
    assert len(README.split()) <= 900


@pytest.mark.slow
def test_the_readme_s_sample_is_answered_as_it_shows() -> None:
    from click.testing import CliRunner

    from genrescope.cli import app

    lines = README.splitlines()
    first = next(i for i, line in enumerate(lines) if "classify genrescope/samples" in line) + 2
    shown = [line.split()[:3] for line in lines[first : lines.index("```", first)]]
    assert len(shown) == 3
    result = CliRunner().invoke(app, ["classify", "--json", str(ROOT / "genrescope" / "samples")])
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    for (path, genre, percent), answer in zip(shown, answers, strict=True):
        assert answer["path"].endswith(path)
        assert answer["genre"] == genre
        assert f"{answer['confidence']:.0%}" == percent


def test_the_shipped_bundle_is_small() -> None:
    assert sum(f.stat().st_size for f in Bundle.load().path.iterdir()) < 25_000_000
