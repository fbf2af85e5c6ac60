"""A run without songs: the scheduler itself, with workers of made-up speed, luck and network.

It says whether the formula of `genrescope.fleet.cost` holds when shards differ, machines are slow
or die, and all read through one network. Time is counted, not waited for.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from genrescope.fleet.plan import Shard
from genrescope.fleet.scheduler import Scheduler


@dataclass(frozen=True)
class World:
    """What a run meets.

    Attributes:
        n_shards, workers: how many.
        core_s: seconds of a core for the mean shard.
        read_s: seconds for reading the mean shard, had it the network for itself.
        spread: standard deviation of the logarithm of a shard's seconds.
        slow_share, slow_by: share of the workers on slow machines, and how many times slower.
        worker_lives_s: mean time until a worker dies; it is replaced after ``start_s``.
        start_s: until a worker is ready.
    """

    n_shards: int
    workers: int
    core_s: float
    read_s: float
    spread: float = 0.15
    slow_share: float = 0.02
    slow_by: float = 2.0
    worker_lives_s: float = np.inf
    start_s: float = 0.0


@dataclass(frozen=True)
class Course:
    """How a run went.

    Attributes:
        seconds: from start to end.
        deaths: workers that died in the middle of a shard.
        failed: shards that were given up.
        tail_s: from when no shard was left to hand out, to the end.
    """

    seconds: float
    deaths: int
    failed: int
    tail_s: float


def simulate(world: World, *, seed: int = 0) -> Course:
    """Have `Scheduler` hand out shards to workers of a made-up world.

    The network is shared as a queue: each shard's songs are read in their turn, at its whole
    speed, while the worker computes; the shard ends when both have.
    """
    rng = np.random.default_rng(seed)
    sizes = rng.lognormal(-(world.spread**2) / 2, world.spread, world.n_shards)  # of mean 1
    n_slow = round(world.slow_share * world.workers)
    slowness = np.ones(world.workers)
    slowness[:n_slow] = world.slow_by
    scheduler = Scheduler(Shard(i, 1, "") for i in range(world.n_shards))
    events: list[tuple[float, int, int]] = []  # end, worker, shard
    network_free = 0.0
    now = 0.0
    last_given = 0.0
    deaths = failed = 0
    fails: dict[int, bool] = {}

    def give(worker: int, at: float) -> None:
        nonlocal network_free, last_given
        shard = scheduler.take()
        if shard is None:
            return
        size = float(sizes[shard.number])
        network_free = max(network_free, at) + size * world.read_s
        end = max(at + size * world.core_s * float(slowness[worker]), network_free)
        death = np.inf
        if world.worker_lives_s < np.inf:
            death = at + float(rng.exponential(world.worker_lives_s))
        fails[worker] = death < end
        last_given = at
        heapq.heappush(events, (min(end, death), worker, shard.number))

    for worker in range(world.workers):
        give(worker, world.start_s)
    while events:
        now, worker, number = heapq.heappop(events)
        shard = Shard(number, 1, "")
        if fails[worker]:
            deaths += 1
            failed += scheduler.lost(shard, "it died") is not None
            give(worker, now + world.start_s)
        else:
            scheduler.done(shard)
            give(worker, now)
    return Course(seconds=now, deaths=deaths, failed=failed, tail_s=now - last_given)
