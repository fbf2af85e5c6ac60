"""What the engine makes of a cluster's answers; `tests/fleet/test_killed.py` has a real one."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from shard_functions import Noted

from genrescope.errors import FleetError
from genrescope.fleet.engines import MOST_DEATHS_IN_A_ROW, ray
from genrescope.fleet.plan import Shard
from genrescope.fleet.scheduler import TRIES

SHARDS = [Shard(number, 1, "") for number in range(6)]


class DeathError(Exception):
    """What a cluster raises where a worker was lost."""


@dataclass
class Cluster:
    """Does at once, in this process, what a cluster does by and by elsewhere.

    Attributes:
        cores: it has.
        dies: shards whose worker is lost, so often each.
        cannot_start: whether workers are lost before they have a shard.
    """

    cores: int = 2
    dies: dict[int, int] = field(default_factory=dict)
    cannot_start: bool = False
    started: list[dict[str, Any]] = field(default_factory=list)
    hired: int = 0
    killed: int = 0
    ended: bool = False
    answers: deque[tuple[object, Any]] = field(default_factory=deque)
    exceptions: Any = field(default_factory=lambda: SimpleNamespace(RayError=DeathError))

    def init(self, **options: Any) -> None:
        if options["address"] == "nowhere":
            raise ConnectionError("nobody\nanswers")
        self.started.append(options)

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": float(self.cores)}

    def put(self, function: Any) -> Any:
        return function

    def remote(self, **options: Any) -> Any:
        assert options == {"num_cpus": 1, "max_restarts": 0}
        return lambda kind: SimpleNamespace(remote=lambda function: self._hire(kind(function)))

    def _hire(self, worker: Any) -> Any:
        self.hired += 1

        def ready() -> object:
            return self._later(DeathError("no room") if self.cannot_start else worker.ready())

        def work(shard: Shard) -> object:
            if self.dies.get(shard.number, 0):
                self.dies[shard.number] -= 1
                return self._later(DeathError("the machine is gone"))
            return self._later(worker.work(shard))

        return SimpleNamespace(
            ready=SimpleNamespace(remote=ready), work=SimpleNamespace(remote=work)
        )

    def _later(self, answer: Any) -> object:
        reference = object()
        self.answers.append((reference, answer))
        return reference

    def wait(self, references: list[object], *, num_returns: int) -> tuple[list[object], list[Any]]:
        assert num_returns == 1
        first, _ = self.answers[0]
        assert first in references
        return [first], []

    def get(self, reference: object) -> Any:
        first, answer = self.answers.popleft()
        assert first is reference
        if isinstance(answer, Exception):
            raise answer
        return answer

    def kill(self, worker: Any) -> None:
        self.killed += 1

    def shutdown(self) -> None:
        self.ended = True


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    found = Cluster()
    monkeypatch.setitem(sys.modules, "ray", found)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name in ("RAY_USAGE_STATS_ENABLED", "RAY_USAGE_STATS_REPORT_URL"):
        monkeypatch.setenv(name, "")
    yield found
    assert found.ended or not found.started


def test_every_shard_is_done_once_by_a_worker_a_core(cluster: Cluster, tmp_path: Path) -> None:
    function = Noted(tmp_path)
    outcomes = list(ray.map_shards(function, SHARDS))
    assert sorted(outcome.shard.number for outcome in outcomes) == list(range(6))
    assert {outcome.error for outcome in outcomes} == {None}
    assert [len(function.noted(n)) for n in range(6)] == [1] * 6
    assert (cluster.hired, cluster.killed) == (2, 2)


def test_nothing_is_reported_and_no_dashboard_started(cluster: Cluster, tmp_path: Path) -> None:
    list(ray.map_shards(Noted(tmp_path), SHARDS, workers=1))
    (options,) = cluster.started
    assert not options["include_dashboard"]
    assert options["num_cpus"] == 1
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert "127.0.0.1" in os.environ["RAY_USAGE_STATS_REPORT_URL"]


def test_a_cluster_that_stands_is_not_told_what_it_has(cluster: Cluster, tmp_path: Path) -> None:
    list(ray.map_shards(Noted(tmp_path), SHARDS, workers=3, address="auto"))
    (options,) = cluster.started
    assert not {"num_cpus", "object_store_memory", "include_dashboard"} & set(options)
    assert cluster.hired == 3


def test_without_a_cluster_the_reason_is_told(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(FleetError, match=r"there is no Ray cluster .*nobody answers"):
        list(ray.map_shards(Noted(tmp_path), SHARDS, address="nowhere"))


def test_without_shards_there_is_no_cluster(cluster: Cluster, tmp_path: Path) -> None:
    assert list(ray.map_shards(Noted(tmp_path), [])) == []
    assert cluster.started == []


def test_a_shard_that_fails_each_time_is_told_and_costs_no_other(
    cluster: Cluster, tmp_path: Path
) -> None:
    function = Noted(tmp_path, fails={2})
    errors = {o.shard.number: o.error for o in ray.map_shards(function, SHARDS, workers=1)}
    assert errors == {n: "ValueError: shard 2 is not liked" if n == 2 else None for n in range(6)}
    assert len(function.noted(2)) == TRIES
    assert cluster.hired == 1


def test_who_dies_is_replaced_and_the_shard_done_by_another(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.dies = {1: 1}
    function = Noted(tmp_path)
    outcomes = list(ray.map_shards(function, SHARDS, workers=1))
    assert {outcome.error for outcome in outcomes} == {None}
    assert len(function.noted(1)) == 1
    assert cluster.hired == 2


def test_a_shard_that_kills_each_of_its_workers_fails(cluster: Cluster, tmp_path: Path) -> None:
    cluster.dies = {3: 1_000}
    errors = {o.shard.number: o.error for o in ray.map_shards(Noted(tmp_path), SHARDS, workers=1)}
    assert errors == {n: "its worker died" if n == 3 else None for n in range(6)}
    assert cluster.hired == 1 + TRIES


def test_workers_that_die_one_after_another_end_the_run(cluster: Cluster, tmp_path: Path) -> None:
    cluster.cannot_start = True
    with pytest.raises(FleetError, match=f"{MOST_DEATHS_IN_A_ROW} workers died one after another"):
        list(ray.map_shards(Noted(tmp_path), SHARDS, workers=1))
