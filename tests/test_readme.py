"""README and model card say what the shipped bundle says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from genrescope.cli import VERBS
from genrescope.model.bundle import Bundle
from genrescope.model.card import model_card

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readmes_figures_are_the_shipped_bundles() -> None:
    metrics = Bundle.load().metrics
    assert metrics
    for row in metrics:
        figures = f"{row['accuracy']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
        line = next(line for line in README.splitlines() if figures in line)
        assert f"`{row['protocol']}`" in line
        assert str(row["n"]) in line


def test_the_shipped_recipe_is_the_one_in_the_repository() -> None:
    pytest.importorskip("torch")
    from genrescope.lab.training.recipe import DEFAULT_RECIPE, Recipe

    assert Recipe.from_dict(Bundle.load().training["recipe"]) == Recipe.load(DEFAULT_RECIPE)


def test_the_page_of_degradations_has_the_shipped_bundles_figures() -> None:
    page = (ROOT / "docs" / "results" / "degradations.md").read_text(encoding="utf-8")
    rows = Bundle.load().degradations
    assert rows
    for row in rows:
        line = next(line for line in page.splitlines() if line.startswith(f"| {row['name']} |"))
        assert f"| {row['accuracy']:.3f} | {row['low']:.3f} to {row['high']:.3f} |" in line
        if row["name"] != "clean":
            assert f"| {row['drop']:+.3f} |" in line


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


def test_the_shipped_bundle_is_small() -> None:
    assert sum(f.stat().st_size for f in Bundle.load().path.iterdir()) < 25_000_000
