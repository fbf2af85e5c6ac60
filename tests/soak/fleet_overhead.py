"""What an engine takes for itself: the same songs on Ray and on plain processes, in turn."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fleet_makers import write_csv
from soak.fleet_processes import PATIENCE_S, await_success, end, start, started, used_s

from genrescope.fleet.plan import write_plan

ENGINES = ("local", "ray")
BUSY_ROUNDS = 20_000
"""Of a hash, for each song: some 5 ms of a core, where a true song takes a hundred times that."""


@dataclass(frozen=True)
class Course:
    """How long a run took; of several runs, the medians.

    Attributes:
        n_songs: in all.
        rate: songs a second on the clock, from the first shard that was committed to the last.
        core_ms: of processor for a song, all processes of the run together, between the two.
        whole_s: from the start of the driver to its end.
    """

    n_songs: int
    rate: float
    core_ms: float
    whole_s: float


@dataclass(frozen=True)
class Comparison:
    """Courses of the same work by engine."""

    rounds: int
    n_shards: int
    courses: dict[str, Course]

    @property
    def by_clock(self) -> float:
        """By how much Ray's rate is lower, as a share."""
        return self.courses["local"].rate / self.courses["ray"].rate - 1

    @property
    def by_processor(self) -> float:
        """By how much Ray takes more of the processor, as a share."""
        return self.courses["ray"].core_ms / self.courses["local"].core_ms - 1


def compare_engines(
    bundle: Path,
    folder: Path,
    *,
    n_songs: int,
    rounds: int,
    shard_size: int = 200,
    repeats: int = 3,
) -> Comparison:
    """Run the same plan on each engine in turn, two workers each.

    Args:
        rounds: work for each song, see `BUSY_ROUNDS`; 0 for none.
        repeats: of each engine.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plan = write_plan(
        str(write_csv(folder / "songs.csv", n_songs)), folder / "plan", shard_size=shard_size
    )
    step = ("busy", str(rounds)) if rounds else ("null",)
    courses: dict[str, list[Course]] = {engine: [] for engine in ENGINES}
    for i in range(repeats):
        for engine in ENGINES if i % 2 == 0 else reversed(ENGINES):
            out = folder / "out"
            began = time.monotonic()
            job = start(folder, engine, 2, out, bundle, *step)
            try:
                core_s = _core_s_between_shards(job, out, len(plan.shards))
                await_success(job)
            finally:
                end(job)
            courses[engine].append(_course(out, n_songs, core_s, time.monotonic() - began))
            shutil.rmtree(out)
    shutil.rmtree(folder)
    return Comparison(rounds, len(plan.shards), {e: _median(courses[e]) for e in ENGINES})


def _core_s_between_shards(job: subprocess.Popen[bytes], out: Path, n_shards: int) -> float:
    """Seconds of processor of all processes between the first shard's commit and the last's.

    What a process takes after it was last seen, a tenth of a second before its end, is not counted.
    """
    used: dict[int, float] = {}
    at_first: float | None = None
    last = f"part-{n_shards - 1:06d}.parquet"
    deadline = time.monotonic() + 10 * PATIENCE_S
    while job.poll() is None and not (out / last).exists():
        if time.monotonic() > deadline:
            raise RuntimeError("a run does not end")
        for pid in started():
            with suppress(OSError):
                used[pid] = used_s(pid)
        if at_first is None and any(out.glob("part-*.parquet")):
            at_first = sum(used.values())
        time.sleep(0.1)
    return sum(used.values()) - (at_first or 0.0)


def _course(out: Path, n_songs: int, core_s: float, whole_s: float) -> Course:
    times = sorted(path.stat().st_mtime_ns / 1e9 for path in out.glob("part-*.parquet"))
    between = n_songs * (len(times) - 1) / len(times)
    return Course(n_songs, between / (times[-1] - times[0]), 1_000 * core_s / between, whole_s)


def _median(courses: list[Course]) -> Course:
    rate, core_ms, whole_s = (
        statistics.median(getattr(course, name) for course in courses)
        for name in ("rate", "core_ms", "whole_s")
    )
    return Course(courses[0].n_songs, rate, core_ms, whole_s)
