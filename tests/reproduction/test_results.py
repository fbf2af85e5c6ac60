"""Results that are there, and whether they are still those of the plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lab_makers import mel_data, quick_cell

import genrescope
from genrescope.data.store import FeatureStore
from genrescope.lab.provenance import commit
from genrescope.reproduction.cells import run_cells
from genrescope.reproduction.results import is_done, read_results, up_to_date


def test_a_cell_of_one_fold_is_not_one_of_all(store: FeatureStore, tmp_path: Path) -> None:
    cell = quick_cell("tracks", "summary", "logistic")
    every = replace(cell, all_folds=True)
    run_cells([cell], mel_data(store), tmp_path)
    assert is_done(tmp_path, cell)
    assert not is_done(tmp_path, every)
    assert up_to_date(read_results(tmp_path), [every]) == {}
    run_cells([every], mel_data(store), tmp_path)
    assert is_done(tmp_path, every)
    assert is_done(tmp_path, cell)  # and more


def test_an_impossible_cell_of_all_folds_is_done(store: FeatureStore, tmp_path: Path) -> None:
    cell = replace(quick_cell("fault-filtered", "mel", "knn-10"), all_folds=True)
    run_cells([cell], mel_data(store), tmp_path)
    assert is_done(tmp_path, cell)


def test_a_cell_keeps_version_and_commit(store: FeatureStore, tmp_path: Path) -> None:
    cell = quick_cell("tracks", "summary", "logistic")
    run_cells([cell], mel_data(store), tmp_path)
    result = read_results(tmp_path)[cell.id]
    assert result["version"] == genrescope.__version__
    assert result["commit"] == commit()
