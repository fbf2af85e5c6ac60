"""Cells: every kind is run, judged by what its protocol says, and gone on with where it stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from lab_makers import bands_store, mel_data, quick_cell

from genrescope.data.splits import split_for
from genrescope.data.store import FeatureStore
from genrescope.lab.run_folder import CHECKPOINT
from genrescope.lab.training.train import Training
from genrescope.reproduction import cells as cells_module
from genrescope.reproduction.cells import run_cells
from genrescope.reproduction.results import is_done, read_results, result_path, up_to_date


@pytest.mark.slow
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
    cell = quick_cell(protocol, kind, model)
    run_cells([cell], mel_data(store), tmp_path)
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
    cell = replace(quick_cell("tracks", "summary", "logistic"), all_folds=True)
    run_cells([cell], mel_data(store), tmp_path)
    result = read_results(tmp_path)[cell.id]
    assert sorted(result["answers"]["members"]) == sorted(store.tracks)
    assert result["folds"][0] == result["folds"][1]


def test_a_protocol_that_is_not_possible_says_why(store: FeatureStore, tmp_path: Path) -> None:
    cell = quick_cell("fault-filtered", "mel", "knn-10")
    run_cells([cell], mel_data(store), tmp_path)
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
    cells = [quick_cell("tracks", kind, model), quick_cell("tracks", "mel", "knn-10")]
    run_cells(cells, mel_data(coarse), tmp_path)
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
    cell = quick_cell("tracks", "mel", "cnn")
    run_cells([cell], mel_data(store), tmp_path)
    result = read_results(tmp_path)[cell.id]
    assert result["part"] == "valid"
    assert result["answers"]["members"] == list(fold.valid)
    assert all(epoch["valid_loss"] is None for epoch in result["history"])


@pytest.mark.slow
def test_done_cells_are_left_alone_and_stopped_nets_go_on(
    store: FeatureStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = replace(quick_cell("tracks", "mel", "cnn"), all_folds=True)
    cells = [quick_cell("tracks", "summary", "logistic"), net]
    epochs: list[int] = []
    original = Training._epoch

    def stop_in_the_second_fold(self: Training, progress: object) -> object:
        epochs.append(len(self.history))
        if len(epochs) == 4:
            raise KeyboardInterrupt
        return original(self, progress)  # type: ignore[arg-type]

    monkeypatch.setattr(Training, "_epoch", stop_in_the_second_fold)
    with pytest.raises(KeyboardInterrupt):
        run_cells(cells, mel_data(store), tmp_path / "cut")
    assert [result_path(tmp_path / "cut", c).exists() for c in cells] == [True, False]
    before = result_path(tmp_path / "cut", cells[0]).stat().st_mtime_ns
    run_cells(cells, mel_data(store), tmp_path / "cut")
    n_folds = len(split_for("tracks", store.facts).folds)
    assert epochs == [0, 1, 0, 1, 1] + [0, 1] * (n_folds - 2)
    assert not list((tmp_path / "cut").rglob(CHECKPOINT))
    assert result_path(tmp_path / "cut", cells[0]).stat().st_mtime_ns == before
    run_cells(cells, mel_data(store), tmp_path / "whole")
    resumed, undisturbed = (read_results(tmp_path / name)[cells[1].id] for name in ("cut", "whole"))
    assert resumed["answers"] == undisturbed["answers"]
    losses = [
        [epoch["train_loss"] for epoch in result["history"]] for result in (resumed, undisturbed)
    ]
    assert losses[0] == losses[1]


@pytest.mark.slow
def test_a_cell_whose_recipe_has_changed_is_run_again(store: FeatureStore, tmp_path: Path) -> None:
    old = quick_cell("tracks", "mel", "cnn")
    assert old.recipe is not None
    new = replace(old, recipe=replace(old.recipe, epochs=3))
    run_cells([old], mel_data(store), tmp_path)
    assert is_done(tmp_path, old)
    assert not is_done(tmp_path, new)
    assert list(up_to_date(read_results(tmp_path), [old])) == [old.id]
    assert up_to_date(read_results(tmp_path), [new]) == {}
    run_cells([new], mel_data(store), tmp_path)
    assert is_done(tmp_path, new)
    assert len(up_to_date(read_results(tmp_path), [new])[new.id]["history"]) == 3


def test_a_stop_is_asked_for_before_each_cell(store: FeatureStore, tmp_path: Path) -> None:
    cells = [
        quick_cell("tracks", "summary", "logistic"),
        quick_cell("tracks", "modulations", "src"),
    ]
    answers = iter((False, True))
    run_cells(cells, mel_data(store), tmp_path, stop=lambda: next(answers))
    assert list(read_results(tmp_path)) == [cells[0].id]
