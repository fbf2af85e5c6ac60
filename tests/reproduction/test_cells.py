"""Cells: every kind is run, judged by what its protocol says, and gone on with where it stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from lab_makers import bands_store

import genrescope
from genrescope.data.splits import SPLITS, split_for
from genrescope.data.store import FeatureStore
from genrescope.lab.nets import NETS
from genrescope.lab.provenance import commit
from genrescope.lab.run_folder import CHECKPOINT
from genrescope.lab.training.train import Training
from genrescope.reproduction import cells as cells_module
from genrescope.reproduction.cells import Data, run_cells
from genrescope.reproduction.material import KINDS
from genrescope.reproduction.plan import (
    PROTOCOLS,
    SEEDS,
    TALK_NETS,
    Cell,
    full_plan,
    quick_plan,
)
from genrescope.reproduction.results import is_done, read_results, result_path, up_to_date


@pytest.fixture(scope="module")
def store() -> FeatureStore:
    return bands_store(12, n_frames=100)


def data(store: FeatureStore) -> Data:
    return Data({("all", "mel"): lambda: store})


def quick(protocol: str, kind: str, model: str) -> Cell:
    """The quick plan's cell."""
    return next(
        cell
        for cell in quick_plan(audio=False)
        if (cell.protocol, cell.input, cell.model) == (protocol, kind, model)
    )


def test_the_plan_names_each_cell_once_and_the_talk_first() -> None:
    cells = full_plan(audio=True)
    assert len({cell.id for cell in cells}) == len(cells)
    assert {cell.protocol for cell in cells} == set(SPLITS) - {"world", "all"} == set(PROTOCOLS)
    nets = [cell for cell in cells if cell.recipe is not None]
    assert [cell.model for cell in nets[:4]] == list(TALK_NETS)
    assert {cell.protocol for cell in nets[:8]} == {"windows", "fault-filtered"}
    assert {c.seed for c in cells if (c.protocol, c.model) == ("windows", "res-bigru")} == set(
        SEEDS
    )
    assert {cell.model for cell in nets} == set(NETS)
    for cell in nets:
        assert cell.recipe is not None
        assert cell.recipe.net == cell.model
        assert KINDS[cell.input] in NETS[cell.model].inputs
    kept_apart = [c for c in nets if c.data == "all" and c.protocol in ("artists", "tracks")]
    assert {c.model for c in kept_apart if c.all_folds} >= {*TALK_NETS, "compact"}
    small = {cell.id for cell in quick_plan(audio=True)}
    assert small == {cell.id for cell in cells if cell.seed == 0}


def test_effort_scales_epochs() -> None:
    one, half = full_plan(audio=False), full_plan(audio=False, effort=0.5)
    epochs = [[c.recipe.epochs for c in cells if c.recipe] for cells in (one, half)]
    assert all(abs(2 * b - a) <= 1 for a, b in zip(*epochs, strict=True))


@pytest.mark.parametrize("protocol", ["windows", "tracks", "artists"])
@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("mel", "knn-10"),
        ("bands", "svm"),
        ("summary", "logistic"),
        ("modulations", "src"),
        ("mel", "cnn"),
    ],
)
def test_a_cell_of_each_kind(
    store: FeatureStore, tmp_path: Path, protocol: str, kind: str, model: str
) -> None:
    cell = quick(protocol, kind, model)
    run_cells([cell], data(store), tmp_path)
    result = read_results(tmp_path)[cell.id]
    split = split_for(protocol, store.facts)
    assert result["part"] == "test"
    assert result["folds"] == [1, len(split.folds)]
    assert result["answers"]["members"] == list(split.folds[0].test)
    assert sum(map(sum, result["confusion"])) == len(split.folds[0].test)
    assert result["level"] == ("window" if protocol == "windows" else "track")
    if cell.recipe is None:
        assert result[result["level"]]["accuracy"]["value"] > 0.9
    else:
        assert len(result["history"]) == cell.recipe.epochs
        assert result["recipe"] == cell.recipe.to_dict()


def test_all_folds_judge_every_track_once(store: FeatureStore, tmp_path: Path) -> None:
    cell = replace(quick("tracks", "summary", "logistic"), all_folds=True)
    run_cells([cell], data(store), tmp_path)
    result = read_results(tmp_path)[cell.id]
    assert sorted(result["answers"]["members"]) == sorted(store.tracks)
    assert result["folds"][0] == result["folds"][1]


def test_a_protocol_that_is_not_possible_says_why(store: FeatureStore, tmp_path: Path) -> None:
    cell = quick("fault-filtered", "mel", "knn-10")
    run_cells([cell], data(store), tmp_path)
    assert "no GTZAN track" in read_results(tmp_path)[cell.id]["impossible"]


@pytest.mark.parametrize(("kind", "model"), [("summary", "logistic"), ("mel", "cnn")])
def test_a_front_end_too_coarse_for_a_model_stops_that_cell_alone(
    tmp_path: Path, kind: str, model: str
) -> None:
    few = bands_store(12, n_frames=100)
    coarse = replace(
        few,
        config=replace(few.config, n_mels=8, hop_length=6000),
        _clips=tuple(clip[:30, :8] for clip in few._clips),
    )
    cells = [quick("tracks", kind, model), quick("tracks", "mel", "knn-10")]
    run_cells(cells, data(coarse), tmp_path)
    first, second = (read_results(tmp_path)[cell.id] for cell in cells)
    assert first["impossible"]
    assert "Delete" not in first["impossible"]
    assert "track" in second


def test_without_a_test_part_nothing_chooses_the_epoch(
    store: FeatureStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = split_for("tracks", store.facts)
    fold = replace(split.folds[0], test=())
    monkeypatch.setattr(cells_module, "split_for", lambda *_: replace(split, folds=(fold,)))
    cell = quick("tracks", "mel", "cnn")
    run_cells([cell], data(store), tmp_path)
    result = read_results(tmp_path)[cell.id]
    assert result["part"] == "valid"
    assert result["answers"]["members"] == list(fold.valid)
    assert all(epoch["valid_loss"] is None for epoch in result["history"])


def test_done_cells_are_left_alone_and_stopped_nets_go_on(
    store: FeatureStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = replace(quick("tracks", "mel", "cnn"), all_folds=True)
    cells = [quick("tracks", "summary", "logistic"), net]
    epochs: list[int] = []
    original = Training._epoch

    def stop_in_the_second_fold(self: Training, progress: object) -> object:
        epochs.append(len(self.history))
        if len(epochs) == 4:
            raise KeyboardInterrupt
        return original(self, progress)  # type: ignore[arg-type]

    monkeypatch.setattr(Training, "_epoch", stop_in_the_second_fold)
    with pytest.raises(KeyboardInterrupt):
        run_cells(cells, data(store), tmp_path / "cut")
    assert [result_path(tmp_path / "cut", c).exists() for c in cells] == [True, False]
    before = result_path(tmp_path / "cut", cells[0]).stat().st_mtime_ns
    run_cells(cells, data(store), tmp_path / "cut")
    n_folds = len(split_for("tracks", store.facts).folds)
    assert epochs == [0, 1, 0, 1, 1] + [0, 1] * (n_folds - 2)
    assert not list((tmp_path / "cut").rglob(CHECKPOINT))
    assert result_path(tmp_path / "cut", cells[0]).stat().st_mtime_ns == before
    run_cells(cells, data(store), tmp_path / "whole")
    one, two = (read_results(tmp_path / name)[cells[1].id] for name in ("cut", "whole"))
    assert one["answers"] == two["answers"]
    losses = [[epoch["train_loss"] for epoch in result["history"]] for result in (one, two)]
    assert losses[0] == losses[1]


def test_a_cell_whose_recipe_has_changed_is_run_again(store: FeatureStore, tmp_path: Path) -> None:
    old = quick("tracks", "mel", "cnn")
    assert old.recipe is not None
    new = replace(old, recipe=replace(old.recipe, epochs=3))
    run_cells([old], data(store), tmp_path)
    assert is_done(tmp_path, old)
    assert not is_done(tmp_path, new)
    assert list(up_to_date(read_results(tmp_path), [old])) == [old.id]
    assert up_to_date(read_results(tmp_path), [new]) == {}
    run_cells([new], data(store), tmp_path)
    assert is_done(tmp_path, new)
    assert len(up_to_date(read_results(tmp_path), [new])[new.id]["history"]) == 3


def test_a_cell_of_one_fold_is_not_one_of_all(store: FeatureStore, tmp_path: Path) -> None:
    one = quick("tracks", "summary", "logistic")
    every = replace(one, all_folds=True)
    run_cells([one], data(store), tmp_path)
    assert is_done(tmp_path, one)
    assert not is_done(tmp_path, every)
    assert up_to_date(read_results(tmp_path), [every]) == {}
    run_cells([every], data(store), tmp_path)
    assert is_done(tmp_path, every)
    assert is_done(tmp_path, one)  # and more


def test_an_impossible_cell_of_all_folds_is_done(store: FeatureStore, tmp_path: Path) -> None:
    cell = replace(quick("fault-filtered", "mel", "knn-10"), all_folds=True)
    run_cells([cell], data(store), tmp_path)
    assert is_done(tmp_path, cell)


def test_a_cell_keeps_version_and_commit(store: FeatureStore, tmp_path: Path) -> None:
    cell = quick("tracks", "summary", "logistic")
    run_cells([cell], data(store), tmp_path)
    result = read_results(tmp_path)[cell.id]
    assert result["version"] == genrescope.__version__
    assert result["commit"] == commit()


def test_a_stop_is_asked_for_before_each_cell(store: FeatureStore, tmp_path: Path) -> None:
    cells = [quick("tracks", "summary", "logistic"), quick("tracks", "modulations", "src")]
    answers = iter((False, True))
    run_cells(cells, data(store), tmp_path, stop=lambda: next(answers))
    assert list(read_results(tmp_path)) == [cells[0].id]
