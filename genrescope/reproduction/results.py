"""Results of the cells of a plan: one file each, in the folder of an experiment."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from genrescope.errors import GenrescopeError
from genrescope.files import atomic_write
from genrescope.lab.training.recipe import Recipe
from genrescope.reproduction.plan import Cell

Result = Mapping[str, Any]
"""What `cells` found out for a cell, with its ``id`` and ``recipe``."""


def result_path(out: Path, cell: Cell) -> Path:
    """Where a cell's result is kept."""
    return out / "cells" / (cell.id.replace("/", "__") + ".json")


def recipe_of(cell: Cell) -> dict[str, Any] | None:
    """A cell's recipe as its result keeps it."""
    return cell.recipe.to_dict() if cell.recipe is not None else None


def is_done(out: Path, cell: Cell) -> bool:
    """Whether a cell's result is there, and of the recipe and the folds that the cell has now."""
    result = _read(result_path(out, cell))
    return result is not None and _is_of(result, cell)


def read_results(out: Path) -> dict[str, Result]:
    """All results in a folder, by the ID of their cell."""
    found = [_read(path) for path in (out / "cells").glob("*.json")]
    return {result["id"]: result for result in found if result is not None}


def up_to_date(results: Mapping[str, Result], cells: Iterable[Cell]) -> dict[str, Result]:
    """The results without those of ``cells`` that had another recipe, or fewer folds."""
    now = {cell.id: cell for cell in cells}
    return {k: r for k, r in results.items() if k not in now or _is_of(r, now[k])}


def write_result(out: Path, cell: Cell, result: Result) -> None:
    """Keep a cell's result, whole or not at all."""
    path = result_path(out, cell)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as part:
        part.write_text(json.dumps(result), encoding="utf-8")


def _is_of(result: Result, cell: Cell) -> bool:
    recipe = result["recipe"]
    try:
        if recipe is not None:
            recipe = Recipe.from_dict(recipe).to_dict()
    except GenrescopeError:  # of another version, with other fields
        return False
    if recipe != recipe_of(cell):
        return False
    if "impossible" in result or not cell.all_folds:
        return True
    n_run, n = result["folds"]
    return bool(n_run == n)


def _read(path: Path) -> Result | None:
    """A result; None where there is none, or a damaged one, which is computed anew."""
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return result if isinstance(result, dict) and {"id", "recipe"} <= result.keys() else None
