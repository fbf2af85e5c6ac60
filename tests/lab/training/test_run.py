"""Folders of runs: what is kept, what is read back, and what a damaged one says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lab_makers import SMALL_CNN as RECIPE
from lab_makers import begin_training

from genrescope.data.store import FeatureStore
from genrescope.errors import GenrescopeError
from genrescope.lab.training.run import Run, ancestry


@pytest.mark.slow
def test_the_record_of_a_run_tells_all_that_it_learned_from(
    store: FeatureStore, teachers: list[Run], tmp_path: Path
) -> None:
    recipe = replace(RECIPE, epochs=1)
    begin_training(
        store, tmp_path / "a", recipe, teachers=teachers, start=teachers[0], command="taught"
    ).run()
    taught = Run.load(tmp_path / "a")
    begin_training(store, tmp_path / "b", recipe, teachers=[taught], command="taught twice").run()
    twice = Run.load(tmp_path / "b")
    records = ancestry([twice.config])
    assert [entry["seed"] for entry in records] == [0, 1, 0, 0]
    assert [entry["command"] for entry in records[2:]] == ["taught", "taught twice"]
    assert taught.unlike(twice) == ["teachers", "start"]
    assert teachers[0].unlike(teachers[1]) == []
    begin_training(
        store, tmp_path / "c", recipe, teachers=teachers[::-1], start=teachers[1], seed=2
    ).run()
    assert taught.unlike(Run.load(tmp_path / "c")) == []


@pytest.mark.parametrize("name", ["config.json", "best.pt", "checkpoint.pt"])
def test_a_damaged_file_of_a_run_is_named(store: FeatureStore, tmp_path: Path, name: str) -> None:
    recipe = replace(RECIPE, epochs=2)
    begin_training(store, tmp_path / "run", recipe).run()
    path = tmp_path / "run" / name
    path.write_bytes(path.read_bytes()[:100])
    again: dict[str, Callable[[], object]] = {
        "best.pt": lambda: Run.load(tmp_path / "run").net(),
        "checkpoint.pt": lambda: begin_training(store, tmp_path / "run", recipe, resume=True),
        "config.json": lambda: begin_training(store, tmp_path / "run", recipe, resume=True),
    }
    with pytest.raises(GenrescopeError, match=r"is damaged|is no run"):
        again[name]()


def test_a_config_of_something_else_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(GenrescopeError, match="is no run of genrescope train"):
        Run.load(tmp_path)


def test_a_run_of_an_earlier_version_is_gone_on_with(store: FeatureStore, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1, validate_every=3)
    begin_training(store, tmp_path / "run", recipe).run()
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["recipe"]["judge_every"] = config["recipe"].pop("validate_every")
    assert config["features"].pop("kind") == "mel"
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    assert Run.load(tmp_path / "run").recipe == recipe
    assert begin_training(store, tmp_path / "run", recipe, resume=True).finished


@pytest.mark.parametrize("name", ["best.pt", "checkpoint.pt"])
def test_weights_of_another_net_are_an_error_in_words(
    store: FeatureStore, tmp_path: Path, name: str
) -> None:
    recipe = replace(RECIPE, epochs=1)
    begin_training(store, tmp_path / "run", recipe).run()
    path = tmp_path / "run" / name
    state = torch.load(path, weights_only=True)
    for weights in (state, state.get("net", {}), state.get("average", {})):
        weights.pop("head.weight", None)
    torch.save(state, path)
    with pytest.raises(GenrescopeError, match=rf"{name}: its weights do not fit the net"):
        Run.load(tmp_path / "run").net(last=name == "checkpoint.pt")
    if name == "checkpoint.pt":
        with pytest.raises(GenrescopeError, match="its weights do not fit the net"):
            begin_training(store, tmp_path / "run", recipe, resume=True)
