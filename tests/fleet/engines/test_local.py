"""Processes of this machine: each shard once, and what dies or fails is tried again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from shard_functions import Noted

from genrescope.errors import FleetError
from genrescope.fleet.engines import MOST_DEATHS_IN_A_ROW, local
from genrescope.fleet.plan import Shard
from genrescope.fleet.scheduler import TRIES

SHARDS = [Shard(number, 1, "") for number in range(6)]


@pytest.mark.slow
def test_every_shard_is_done_once_by_workers_of_one_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    function = Noted(tmp_path)
    outcomes = list(local.map_shards(function, SHARDS, workers=2))
    assert sorted(outcome.shard.number for outcome in outcomes) == list(range(6))
    assert {outcome.error for outcome in outcomes} == {None}
    lines = [line for shard in SHARDS for line in function.noted(shard.number)]
    assert len(lines) == 6
    assert {line.split()[1] for line in lines} == {"1"}
    assert str(os.getpid()) not in {line.split()[0] for line in lines}
    assert os.environ["OMP_NUM_THREADS"] == "5"
    assert "MKL_NUM_THREADS" not in os.environ


@pytest.mark.slow
def test_a_shard_that_fails_each_time_is_told_in_a_line_and_costs_no_other(tmp_path: Path) -> None:
    function = Noted(tmp_path, fails={2})
    outcomes = list(local.map_shards(function, SHARDS, workers=1))
    errors = {outcome.shard.number: outcome.error for outcome in outcomes}
    assert errors == {n: "ValueError: shard 2 is not liked" if n == 2 else None for n in range(6)}
    assert len(function.noted(2)) == TRIES


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced_and_its_shard_done_by_another(tmp_path: Path) -> None:
    function = Noted(tmp_path, dies={1}, tries=1)
    outcomes = list(local.map_shards(function, SHARDS, workers=1))
    assert sorted(outcome.shard.number for outcome in outcomes) == list(range(6))
    assert {outcome.error for outcome in outcomes} == {None}
    first, second = (line.split()[0] for line in function.noted(1))
    assert first != second


@pytest.mark.slow
def test_workers_that_die_one_after_another_end_the_run(tmp_path: Path) -> None:
    function = Noted(tmp_path, dies=set(range(6)))
    with pytest.raises(FleetError, match=f"{MOST_DEATHS_IN_A_ROW} workers died one after another"):
        list(local.map_shards(function, SHARDS, workers=1))
