"""A run of many shards whose driver, workers and scheduler are killed, and must end as if not."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from fleet_makers import parts, write_csv
from soak.fleet_processes import (
    PATIENCE_S,
    await_end_of_all,
    await_success,
    command,
    end,
    may_report,
    n_parts,
    remote_addresses,
    start,
    started,
)

from genrescope.fleet.plan import Plan, write_plan

# What the processes of an engine are called; a driver has none of these names.
WORKERS = {"local": "spawn_main", "ray": "ray::"}
VICTIMS = {"local": ("driver", "worker"), "ray": ("driver", "worker", "raylet")}


@dataclass
class Disturbance:
    """What became of the run.

    Attributes:
        n_songs: in the plan.
        planned: kills that were to fall.
        kills: those that fell, by who was killed.
        again: songs that were answered for more than once, from each end of all processes to the
            next.
        most_again: how many may have been: the shards that were held by who was killed.
        same: whether the parts are, byte by byte, those of an undisturbed run.
        reported: addresses of other machines that one of the processes was connected to.
        may_report: Ray's processes that were not told to keep their usage to themselves.
    """

    n_songs: int
    planned: int
    kills: Counter[str] = field(default_factory=Counter)
    again: list[int] = field(default_factory=list)
    most_again: list[int] = field(default_factory=list)
    same: bool = False
    reported: set[str] = field(default_factory=set)
    may_report: set[str] = field(default_factory=set)

    @property
    def within_bounds(self) -> bool:
        """Whether nobody who was killed cost more than the shard that each worker held."""
        return all(0 <= n <= most for n, most in zip(self.again, self.most_again, strict=True))


def disturb_fleet(
    bundle: Path,
    folder: Path,
    *,
    engine: str,
    n_songs: int,
    n_kills: int,
    shard_size: int,
    workers: int = 2,
    pause_s: float = 0.001,
    seed: int = 0,
) -> Disturbance:
    """Kill a run of a step that does nothing ``n_kills`` times, and end it.

    The kills follow its progress: of ten the third falls when three elevenths are done.

    Args:
        pause_s: what a song takes, so that the run is not over before it was killed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plan = write_plan(
        str(write_csv(folder / "songs.csv", n_songs)), folder / "plan", shard_size=shard_size
    )
    once, often, log = folder / "once", folder / "often", folder / "log"
    await_success(start(folder, "local", workers, once, bundle, "null"))
    found = Disturbance(n_songs, planned=n_kills)
    rng = np.random.default_rng(seed)
    slow = ("slow", str(pause_s), str(log))
    job = start(folder, engine, workers, often, bundle, *slow)
    most_again = 0
    try:
        for i in range(n_kills):
            wanted = len(plan.shards) * (i + 1) // (n_kills + 1)
            _await_parts(often, max(wanted, n_parts(often) + 1), job, found)
            time.sleep(float(rng.uniform(0, 0.3)))
            victim = VICTIMS[engine][i % len(VICTIMS[engine])]
            if not _kill(victim, engine, job, rng):
                break  # the run is over
            found.kills[victim] += 1
            most_again += shard_size * (1 if victim == "worker" else workers)
            if victim != "worker":
                job.wait(PATIENCE_S)
                await_end_of_all()
                _count_again(found, plan, often, log, most_again)
                most_again = 0
                job = start(folder, engine, workers, often, bundle, *slow)
        while job.poll() is None:
            found.reported |= remote_addresses()
            found.may_report |= may_report(job)
            time.sleep(0.2)
        await_success(job)
    finally:
        end(job)
    _count_again(found, plan, often, log, most_again)
    found.same = parts(often) == parts(once)
    shutil.rmtree(folder / "plan")
    return found


def _count_again(found: Disturbance, plan: Plan, out: Path, log: Path, most: int) -> None:
    """Answers that are in no part are lost, and given again later."""
    kept = sum(shard.n_songs for shard in plan.shards if (out / shard.part).exists())
    found.again.append(len(log.read_text().splitlines()) - kept - sum(found.again))
    found.most_again.append(most)


def _await_parts(out: Path, wanted: int, job: subprocess.Popen[bytes], found: Disturbance) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while n_parts(out) < wanted and job.poll() is None:
        if time.monotonic() > deadline:
            raise RuntimeError(f"no progress: {wanted} shards were waited for")
        found.reported |= remote_addresses()
        time.sleep(0.05)


def _kill(victim: str, engine: str, job: subprocess.Popen[bytes], rng: np.random.Generator) -> bool:
    """Kill a process of a kind once there is one; False: the run is over before."""
    deadline = time.monotonic() + PATIENCE_S
    while job.poll() is None:
        if time.monotonic() > deadline:
            raise RuntimeError(f"there is no {victim} to kill")
        pids = [job.pid] if victim == "driver" else _victims(victim, engine)
        with suppress(ProcessLookupError):
            if pids:
                os.kill(int(rng.choice(pids)), signal.SIGKILL)
                return True
        time.sleep(0.02)  # it is between two workers
    return False


def _victims(victim: str, engine: str) -> list[int]:
    name = WORKERS[engine] if victim == "worker" else "/raylet/raylet"
    pids = [pid for pid in started() if name in command(pid)]
    if victim == "worker" and engine == "ray":  # Ray keeps idle ones as well
        pids = [pid for pid in pids if "_Worker" in command(pid)]
    return pids
