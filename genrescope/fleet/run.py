"""A run: what the plan has and the folder of parts has not."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from genrescope.errors import FleetError
from genrescope.fleet.engines import ShardFunction
from genrescope.fleet.plan import PLAN, Plan, Shard, read_plan
from genrescope.fleet.scheduler import Outcome
from genrescope.fleet.shard import RUN, Model, ShardJob, run_text
from genrescope.fleet.step import SongStep, Step
from genrescope.fleet.store import DiskFolder, Folder, read
from genrescope.model.bundle import Bundle
from genrescope.progress import Progress, no_progress

Engine = Callable[[ShardFunction, list[Shard]], Iterator[Outcome]]
"""An engine's `map_shards`, with what else it takes given."""

_LEFT_OVER_S = 3600.0  # a part is written in less
_MOST_FAILURES_IN_A_ROW = 10


@dataclass(frozen=True)
class Report:
    """What a run did.

    Attributes:
        done: shards it committed.
        before: shards that were there before.
        failed: shards that failed, with why.
    """

    done: int
    before: int
    failed: tuple[Outcome, ...]


def run(
    plan_folder: Folder,
    out: Folder,
    bundle: Bundle,
    engine: Engine,
    *,
    excerpt_s: float | None = None,
    make_step: Callable[[Bundle], Step] | None = None,
    progress: Progress = no_progress,
) -> Report:
    """Work through a plan; it may be stopped or killed at any moment, and begun again.

    Args:
        plan_folder: where the plan is, for every worker.
        out: where the parts go, from every worker.
        bundle: what answers; the same for all runs into ``out``.
        engine: what has it done.
        excerpt_s: how much of a long song is judged, see `SongStep`; the same for all runs into
            ``out``.
        make_step: makes what answers for a song, once in each worker; it can be pickled. By
            default a `SongStep`.
        progress: told songs.

    Raises:
        FleetError: ``out`` is of another plan, bundle or excerpt, or nothing but failures comes.
    """
    plan = read_plan(plan_folder)
    _agree(out, PLAN, plan.text, "another plan")
    _agree(out, RUN, run_text(plan_folder, plan.sha256, bundle, excerpt_s=excerpt_s), "another run")
    if isinstance(out, DiskFolder):
        out.remove_leftovers(time.time() - _LEFT_OVER_S)
    left = missing(plan, out)
    n_songs = plan.n_songs - sum(shard.n_songs for shard in left)
    make_step = make_step or functools.partial(SongStep, excerpt_s=excerpt_s)
    job = ShardJob(plan_folder, out, plan.sha256, Model.of(bundle), make_step=make_step)
    done, failed, in_a_row = 0, [], 0
    for outcome in engine(job, left):
        if outcome.error is None:
            done, in_a_row = done + 1, 0
            n_songs += outcome.shard.n_songs
            progress(n_songs, plan.n_songs, outcome.shard.part)
            continue
        failed.append(outcome)
        in_a_row += 1
        if in_a_row >= _MOST_FAILURES_IN_A_ROW:
            raise FleetError(
                f"shard {outcome.shard.number}",
                f"{in_a_row} shards failed one after another, this one since {outcome.error}",
                "Mend that, and give the same command again.",
            )
    return Report(done, len(plan.shards) - len(left), tuple(failed))


def missing(plan: Plan, out: Folder) -> list[Shard]:
    """The shards whose answers are not there, in the order of the plan."""
    there = {entry.name for entry in out.entries()}
    return [shard for shard in plan.shards if shard.part not in there]


def _agree(out: Folder, name: str, text: bytes, what: str) -> None:
    """Leave a file that says what a folder is of, or see that it says the same."""
    if name not in {entry.name for entry in out.entries()}:
        out.create(name, text)
    if read(out, name) != text:
        raise FleetError(
            out.url,
            f"it holds the answers of {what}",
            "Give the same plan, bundle, excerpt and Genrescope as then, or name another folder.",
        )
