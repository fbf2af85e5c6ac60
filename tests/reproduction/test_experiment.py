"""Experiments from Python: chosen, run under a lock, reported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from lab_makers import music_folder

from genrescope.errors import GenrescopeError
from genrescope.files import exclusive_lock
from genrescope.reproduction.experiment import Experiment, Observer
from genrescope.reproduction.plan import Cell


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return music_folder(tmp_path_factory.mktemp("work") / "music", 4)


class Told(Observer):
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.shares: list[float] = []
        self.kinds: set[str] = set()

    def clip(self, done: float, total: float | None, kind: str) -> None:
        self.kinds.add(kind)

    def begin(self, cell: Cell) -> None:
        self.begun.append(cell.id)

    def share(self, share: float, total: float | None, text: str) -> None:
        self.shares.append(share)


@pytest.mark.slow
def test_it_is_chosen_run_and_reported(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    experiment = Experiment.open(music, out, only="*/all-mel/svm/*", quick=True)
    assert {cell.model for cell in experiment.cells} == {"svm"}
    assert len(experiment.plan) > len(experiment.cells)
    assert experiment.left() == experiment.cells
    assert experiment.leaky() == ("windows",)
    assert not out.exists()  # nothing is written before it runs
    told = Told()
    experiment.run(observer=told)
    assert told.begun == [cell.id for cell in experiment.cells]
    assert told.kinds == {"mel"}
    assert told.shares
    assert max(told.shares) == 1.0
    assert experiment.left() == ()
    report = experiment.report()
    assert report.page == out / "report.html"
    assert (report.n_cells, report.outdated) == (len(experiment.cells), ())
    assert not list(out.rglob("*.part"))


def test_without_a_result_there_is_no_report(music: Path, tmp_path: Path) -> None:
    experiment = Experiment.open(music, tmp_path / "out", quick=True)
    experiment.run(budget_s=0.0)
    assert experiment.left() == experiment.cells
    assert experiment.report().page is None


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there no folder is locked")
def test_two_runs_do_not_write_to_one_folder(music: Path, tmp_path: Path) -> None:
    experiment = Experiment.open(music, tmp_path, only="tracks/all-mel/svm/*", quick=True)
    with exclusive_lock(tmp_path) as is_ours:
        assert is_ours
        with pytest.raises(GenrescopeError, match="another run is writing to it"):
            experiment.run()
    assert list(tmp_path.iterdir()) == []
    experiment.run()
    with (
        exclusive_lock(tmp_path),
        pytest.raises(GenrescopeError, match="another run is writing to it"),
    ):
        experiment.report()
    assert experiment.report().n_cells == 1
