"""This machine's processes."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from genrescope.errors import FleetError
from genrescope.fleet.engines import MOST_DEATHS_IN_A_ROW, ShardFunction, told
from genrescope.fleet.plan import Shard
from genrescope.fleet.scheduler import Outcome, Scheduler

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def map_shards(
    function: ShardFunction, shards: Iterable[Shard], *, workers: int
) -> Iterator[Outcome]:
    """See `genrescope.fleet.engines`.

    Raises:
        FleetError: workers die and die.
    """
    scheduler = Scheduler(shards)
    team: dict[Connection, _Worker] = {}
    deaths = 0
    try:
        for _ in range(workers):
            _join(team, function, scheduler)
        while not scheduler.finished:
            for ready in wait(list(team)):
                assert isinstance(ready, Connection)
                worker = team[ready]
                outcome: Outcome | None
                try:
                    error = ready.recv()
                except (EOFError, OSError):
                    del team[ready]
                    outcome = scheduler.lost(worker.shard, worker.end())
                    deaths += 1
                    if deaths >= MOST_DEATHS_IN_A_ROW:
                        raise FleetError(
                            f"shard {worker.shard.number}",
                            f"{deaths} workers died one after another",
                            "See what they print; there may be too little memory for so many.",
                        ) from None
                    _join(team, function, scheduler)
                else:
                    outcome = _settled(scheduler, worker.shard, error)
                    deaths = 0 if error is None else deaths
                    shard = scheduler.take()
                    if shard is None:
                        worker.end()
                        del team[ready]
                    else:
                        worker.give(shard)
                if outcome is not None:
                    yield outcome
    finally:
        for worker in team.values():
            worker.end()


def _join(team: dict[Connection, _Worker], function: ShardFunction, scheduler: Scheduler) -> None:
    """Start a worker, where there is something for it to do."""
    shard = scheduler.take()
    if shard is not None:
        worker = _Worker(function, shard)
        team[worker.connection] = worker


def _settled(scheduler: Scheduler, shard: Shard, error: str | None) -> Outcome | None:
    return scheduler.done(shard) if error is None else scheduler.lost(shard, error)


class _Worker:
    """A process, and the shard that it holds."""

    def __init__(self, function: ShardFunction, shard: Shard) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.shard = shard
        self._process: BaseProcess = context.Process(target=_work, args=(theirs, function))
        before = {name: os.environ.get(name) for name in _ONE_THREAD}
        os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))  # libraries read it when they load
        try:
            self._process.start()
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
        theirs.close()
        self.give(shard)

    def give(self, shard: Shard) -> None:
        self.shard = shard
        with suppress(OSError):  # it is dead, which `wait` will tell
            self.connection.send(shard)

    def end(self) -> str:
        """End the process if it has not ended; how it did."""
        self._process.join(0)
        code = self._process.exitcode
        self._process.kill()
        self._process.join()
        self._process.close()
        self.connection.close()
        return "its worker was ended" if code is None else f"its worker died (exit code {code})"


def _work(connection: Connection, function: ShardFunction) -> None:
    """What a worker does until its driver is gone or has no more."""
    threading.Thread(target=_end_with_driver, daemon=True).start()
    with suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            shard: Any = connection.recv()
            error = None
            try:
                function(shard)
            except Exception as failure:
                error = told(failure)
            connection.send(error)
    os._exit(0)


def _end_with_driver() -> None:
    """A driver that was killed cannot say so; a worker must not go on for minutes."""
    driver = multiprocessing.parent_process()
    assert driver is not None
    driver.join()
    os._exit(1)
