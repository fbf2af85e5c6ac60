"""The tables of what a fleet costs are those of the figures that ship."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fleet_cost import cost_lines, course_lines
from genrescope.fleet.cost import read_excerpt_cost

PAGE = (Path(__file__).parents[2] / "docs" / "fleet.md").read_text(encoding="utf-8")


def test_the_page_has_the_costs_that_the_formula_gives() -> None:
    for line in cost_lines():
        assert line in PAGE


@pytest.mark.slow
def test_the_page_has_the_courses_that_the_scheduler_takes() -> None:
    for line in course_lines():
        assert line in PAGE


def test_the_page_has_what_excerpts_cost() -> None:
    cost = read_excerpt_cost()
    for figure in (cost.accuracy, cost.accuracy_excerpt):
        assert f"{figure:.3f}".lstrip("0") in PAGE
    assert f"{cost.tracks:,} certain tracks" in PAGE
