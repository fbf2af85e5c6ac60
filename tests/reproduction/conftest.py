"""Results of a few cells, computed once."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab_makers import REPORT_FACTS, bands_store, mel_data

from genrescope.data.store import FeatureStore
from genrescope.reproduction.cells import run_cells
from genrescope.reproduction.plan import quick_plan
from genrescope.reproduction.report import write_report
from genrescope.reproduction.results import read_results

KEPT = ("knn-10", "logistic", "src", "cnn", "bigru")


@pytest.fixture(scope="package")
def store() -> FeatureStore:
    return bands_store(12, n_frames=100)


@pytest.fixture(scope="package")
def folder(store: FeatureStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a few cells, and their report."""
    out = tmp_path_factory.mktemp("results")
    cells = [c for c in quick_plan(audio=False) if c.model in KEPT and c.protocol != "artists"]
    run_cells(cells, mel_data(store), out)
    write_report(out, read_results(out), title="A & B", facts=REPORT_FACTS, quick=True)
    return out
