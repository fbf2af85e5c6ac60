"""A Ray cluster, or one that is started on this machine for the length of the work.

Ray places workers, tells when one dies, and carries shards' numbers and one line about each end.
Nothing else goes through it: songs are fetched, and answers committed, by the workers themselves.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from genrescope.errors import FleetError
from genrescope.fleet.engines import MOST_DEATHS_IN_A_ROW, ShardFunction, told
from genrescope.fleet.plan import Shard
from genrescope.fleet.scheduler import Outcome, Scheduler

LOCAL = "local"
"""The address that has a cluster started."""

_STORE_BYTES = 100 * 2**20  # of shared memory for objects; there are none to speak of


def map_shards(
    function: ShardFunction,
    shards: Iterable[Shard],
    *,
    workers: int | None = None,
    address: str = LOCAL,
) -> Iterator[Outcome]:
    """See `genrescope.fleet.engines`.

    Args:
        workers: a core each. More than the cluster has wait until it has grown. By default the
            cores that it has now.
        address: as Ray's: ``auto`` for the cluster that this machine belongs to.

    Raises:
        FleetError: there is no such cluster, or workers die and die.
    """
    scheduler = Scheduler(shards)
    if scheduler.finished:
        return
    # Ray reads these when it is imported. It reports to nobody: a cluster that is told so alone
    # reports just that, so that the report has no address either.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_USAGE_STATS_REPORT_URL"] = "http://127.0.0.1:9/"
    # It leaves variables of accelerators, which nobody asks for here, as they are.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    _connect(ray, address, workers)
    try:
        n_workers = workers or _cores(ray)
        yield from _Team(ray, function, scheduler).work(n_workers)
    finally:
        ray.shutdown()


def _cores(ray: Any) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _connect(ray: Any, address: str, workers: int | None) -> None:
    started: dict[str, Any] = {}
    if address == LOCAL:
        started = {
            "num_cpus": workers,
            "object_store_memory": _STORE_BYTES,
            "include_dashboard": False,
        }
    try:
        ray.init(address=address, logging_level="error", log_to_driver=False, **started)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise FleetError(address, f"there is no Ray cluster ({told(error)})") from error


class _Worker:
    """What Ray runs on some machine."""

    def __init__(self, function: ShardFunction) -> None:
        self._function = function

    def ready(self) -> None:
        """Answers once there is room for this worker."""

    def work(self, shard: Shard) -> str | None:
        try:
            self._function(shard)
        except Exception as error:
            return told(error)
        return None


class _Team:
    """Workers, of which each holds one shard at a time."""

    def __init__(self, ray: Any, function: ShardFunction, scheduler: Scheduler) -> None:
        self._ray = ray
        self._kind = ray.remote(num_cpus=1, max_restarts=0)(_Worker)
        self._function = ray.put(function)
        self._scheduler = scheduler
        self._waiting: dict[Any, tuple[Any, Shard | None]] = {}

    def work(self, n_workers: int) -> Iterator[Outcome]:
        deaths = 0
        for _ in range(n_workers):
            self._hire()
        while not self._scheduler.finished:
            (answer,), _ = self._ray.wait(list(self._waiting), num_returns=1)
            worker, shard = self._waiting.pop(answer)
            outcome = None
            try:
                error = self._ray.get(answer)
            except self._ray.exceptions.RayError as death:
                deaths += 1
                if deaths >= MOST_DEATHS_IN_A_ROW:
                    raise FleetError(
                        "the cluster",
                        f"{deaths} workers died one after another ({told(death)})",
                        "See Ray's logs; there may be too little memory for so many.",
                    ) from death
                self._ray.kill(worker)  # it may only be out of reach
                if shard is not None:
                    outcome = self._scheduler.lost(shard, "its worker died")
                if self._scheduler.has_next:
                    self._hire()
            else:
                if shard is not None and error is None:
                    deaths = 0
                    outcome = self._scheduler.done(shard)
                elif shard is not None:
                    outcome = self._scheduler.lost(shard, error)
                self._give(worker)
            if outcome is not None:
                yield outcome

    def _hire(self) -> None:
        """Ask for a worker; it gets a shard once it runs, and holds up none before."""
        worker = self._kind.remote(self._function)
        self._waiting[worker.ready.remote()] = worker, None

    def _give(self, worker: Any) -> None:
        shard = self._scheduler.take()
        if shard is None:
            self._ray.kill(worker)
        else:
            self._waiting[worker.work.remote(shard)] = worker, shard
