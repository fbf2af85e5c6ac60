"""``python -m benchmarks.fleet_cost``: the tables of docs/fleet.md, from the figures that ship.

What N songs cost is by the formula of ``genrescope fleet cost``; what the scheduler makes of 82
million is simulated, with workers that differ, die, and read through one network.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from genrescope.fleet.cost import Estimate, Fleet, Songs, estimate, read_figures, song_core_s
from genrescope.fleet.plan import SHARD_SIZE
from genrescope.fleet.simulation import World, simulate

GBIT_S, CORE_HOUR = 10.0, 0.03
SONGS = Songs(82_000_000, mean_mb=7.7, mean_s=240.0, shard_size=SHARD_SIZE)
FLEETS = (
    *((60_000, 1), (1_000_000, 16), (10_000_000, 64)),
    *((SONGS.n, 64), (SONGS.n, 512), (SONGS.n, 4_096)),
)
"""Songs, and cores to classify them."""
_DAY_S = 86_400.0


def main() -> None:
    """Print both tables, and how many cores the network feeds."""
    print("\n".join([*cost_lines(), "", *course_lines(), ""]))
    core_s = song_core_s(SONGS, read_figures())
    print(f"{GBIT_S:g} Gbit/s feed {GBIT_S * 1e9 / (SONGS.mean_mb * 8e6) * core_s:.0f} cores.")


def cost_lines() -> Iterator[str]:
    """What songs cost, as a table."""
    yield (
        "| songs | cores | core-hours | TB | answers, plan (GB) | processor alone | network alone "
        "| time | waits for | cores' price |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for n, cores in FLEETS:
        found = _estimate(n, cores)
        yield (
            f"| {n:,} | {cores:,} | {found.core_hours:,.0f} | {found.read_tb:.2f} | "
            f"{found.kept_gb:.2f} | {_hours(found.processor_h)} | {_hours(found.network_h)} | "
            f"**{_hours(found.hours)}** | {found.bottleneck} | {found.processor_money:,.0f} |"
        )


def course_lines() -> Iterator[str]:
    """What the scheduler makes of the largest, as a table."""
    figures = read_figures()
    yield (
        "| cores | hours by the formula | by the scheduler | with slow and dying workers "
        "| deaths | shards left to the next run |"
    )
    yield "|---|---|---|---|---|---|"
    for n, cores in FLEETS:
        if n < SONGS.n:
            continue
        calm = World(
            n_shards=-(-n // SHARD_SIZE),
            workers=cores,
            core_s=SHARD_SIZE * song_core_s(SONGS, figures) + figures.shard_s,
            read_s=SHARD_SIZE * SONGS.mean_mb * 8e6 / (GBIT_S * 1e9),
            slow_share=0.0,
            start_s=figures.start_s,
        )
        smooth = simulate(calm)
        rough = simulate(replace(calm, slow_share=0.02, worker_lives_s=_DAY_S))
        yield (
            f"| {cores:,} | {_estimate(n, cores).hours:.1f} | {smooth.seconds / 3600:.1f} | "
            f"{rough.seconds / 3600:.1f} | {rough.deaths:,} | {rough.failed:,} |"
        )


def _estimate(n: int, cores: int) -> Estimate:
    fleet = Fleet(cores, GBIT_S, core_hour=CORE_HOUR)
    return estimate(replace(SONGS, n=n), fleet, read_figures())


def _hours(hours: float) -> str:
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} h"


if __name__ == "__main__":
    main()
