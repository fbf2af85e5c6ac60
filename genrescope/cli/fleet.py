"""``genrescope fleet``: plan, run, status, merge, cost"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from genrescope.cli.options import PATH, Group, Number, bundle_option, json_option
from genrescope.cli.terminal import echo
from genrescope.progress import Progress

if TYPE_CHECKING:
    from genrescope.fleet.run import Engine

_MINUTE_S, _HOUR_S, _DAY_S = 60.0, 3600.0, 86_400.0


@click.group(cls=Group, subcommand_metavar="VERB ...")
def fleet() -> None:
    """Classify millions of songs, on this machine or on many.

    Begin with plan and run. A run may be stopped or killed at any moment: the same command goes
    on with what is left. Places may be folders or URLs of an object store.
    """


@fleet.command()
@click.argument("source", metavar="SOURCE")
@click.option("--out", required=True, metavar="PLAN", help="Folder of the new plan.")
@click.option(
    "--shard",
    "shard_size",
    type=click.IntRange(1, 1_000_000),
    default=2_000,
    metavar="N",
    help="Songs in a shard, which is done whole or not at all.",
)
def plan(source: str, out: str, shard_size: int) -> None:
    """Divide songs into shards.

    SOURCE is a folder, a prefix of an object store, or a table (.csv or .parquet) with a column
    uri and, if you have them, id, size and etag.
    """
    from genrescope.fleet.plan import write_plan

    with _songs_bar("planning") as tell:
        made = write_plan(source, out, shard_size=shard_size, progress=tell)
    echo(f"{made.n_songs} songs in {len(made.shards)} shards: {out}")


@fleet.command()
@click.argument("plan_place", metavar="PLAN")
@click.option("--out", required=True, metavar="FOLDER", help="Where the answers go.")
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    help="What does the work: processes of this machine, or a Ray cluster.",
)
@click.option(
    "--address",
    metavar="ADDRESS",
    help="Address of the Ray cluster, auto for the one of this machine; if absent, Ray starts "
    "here.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 100_000),
    metavar="N",
    help="Songs classified at once, a core each; all cores of the machine or cluster if absent.",
)
@bundle_option(name="bundle_path")
@click.option(
    "--excerpt",
    "excerpt_s",
    type=Number(9, 3600),
    metavar="SECONDS",
    help="Classify by three places of a song, SECONDS long together. Of wav, flac and mp3 nothing "
    "else is read; other formats, and shorter songs, are taken whole.",
)
def run(
    plan_place: str,
    out: str,
    engine: str,
    address: str | None,
    workers: int | None,
    bundle_path: Path | None,
    excerpt_s: float | None,
) -> None:
    """Classify the songs of a plan; what FOLDER holds already is not done again.

    A song that fails is a row that says why, and no failure of the run.
    """
    from genrescope.cli.output import complain
    from genrescope.fleet.cost import read_excerpt_cost
    from genrescope.fleet.run import run as start
    from genrescope.fleet.store import open_folder
    from genrescope.model.bundle import Bundle

    bundle = Bundle.load(bundle_path)
    chosen = _engine(engine, workers, address)
    if excerpt_s is not None:
        echo(f"what excerpts cost, as measured: {read_excerpt_cost()}")
    folders = open_folder(plan_place), open_folder(out)
    with _songs_bar("classifying") as tell:
        report = start(*folders, bundle, chosen, excerpt_s=excerpt_s, progress=tell)
    for outcome in report.failed:
        complain(f"shard {outcome.shard.number}: {outcome.error}")
    echo(f"{report.done} shards done, {report.before} before, {len(report.failed)} failed")
    if report.failed:
        raise Exit(1)


@fleet.command()
@click.argument("out", metavar="FOLDER")
@json_option
@click.option(
    "--metrics",
    "metrics_port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Serve metrics for Prometheus at this port, until Ctrl-C; 0 takes any free one.",
)
def status(out: str, as_json: bool, metrics_port: int | None) -> None:
    """Say how far a run has come, from its files alone."""
    import json

    from genrescope.fleet.status import Watch
    from genrescope.fleet.store import open_folder

    watch = Watch(open_folder(out))
    if metrics_port is not None:
        from genrescope.fleet.metrics import serve

        serve(watch, metrics_port, tell=lambda url: echo(f"Genrescope: {url}  (Ctrl-C stops it)"))
        return
    state = watch.look()
    if as_json:
        print(json.dumps(state.to_dict()))
        return
    share = state.songs_done / state.songs
    echo(f"{state.songs_done} of {state.songs} songs ({share:.1%}), by {state.bundle}")
    echo(f"{state.shards_done} of {state.shards} shards")
    if state.songs_per_s is not None:
        echo(f"{state.songs_per_s:.3g} songs a second")
    if state.seconds_left:
        echo(f"{_duration(state.seconds_left)} left at this rate")
    for code, n in state.errors.items():
        echo(f"{n} without an answer: {code}")


@fleet.command()
@click.argument("parts", metavar="FOLDER")
@click.option("--out", type=PATH, required=True, metavar="DATASET", help="The new folder.")
def merge(parts: str, out: Path) -> None:
    """Make one dataset of a finished run.

    From a million songs on it gets an index of what sounds alike.
    """
    from genrescope.fleet.merge import merge as run_merge
    from genrescope.fleet.store import open_folder

    with _songs_bar("merging") as tell:
        run_merge(open_folder(parts), out, progress=tell)
    echo(f"written: {out}")


def _engine(name: str, workers: int | None, address: str | None) -> Engine:
    if name == "ray":
        from genrescope.fleet.engines import ray

        return functools.partial(ray.map_shards, workers=workers, address=address or ray.LOCAL)
    from genrescope.fleet.engines import local
    from genrescope.system import n_cores

    if address is not None:
        raise click.BadParameter("--address is for --engine ray")
    return functools.partial(local.map_shards, workers=workers or n_cores())


@contextmanager
def _songs_bar(what: str) -> Iterator[Progress]:
    from genrescope.cli.progress import bar

    with bar(what, unit="songs", log=True) as shown:
        yield lambda done, total, _: shown.update(done, total=total)


@fleet.command()
@click.option("--songs", type=click.IntRange(1), required=True, metavar="N", help="How many songs.")
@click.option(
    "--mb", "mean_mb", type=Number(0.001), default=7.7, metavar="MB", help="Size of the mean song."
)
@click.option(
    "--seconds",
    "mean_s",
    type=Number(0.1),
    default=240.0,
    metavar="S",
    help="Length of the mean song.",
)
@click.option(
    "--shard",
    "shard_size",
    type=click.IntRange(1),
    default=2_000,
    metavar="N",
    help="Songs in a shard, as for plan.",
)
@click.option(
    "--cores",
    type=click.IntRange(1),
    default=64,
    metavar="N",
    help="Number of cores, all machines together.",
)
@click.option(
    "--gbit",
    "gbit_s",
    type=Number(0.001),
    default=10.0,
    metavar="GBIT/S",
    help="Network to where the songs lie, all machines together.",
)
@click.option(
    "--core-hour", type=Number(0), default=0, metavar="PRICE", help="Price of a core for an hour."
)
@click.option(
    "--gb", type=Number(0), default=0, metavar="PRICE", help="Price of reading a gigabyte."
)
@click.option(
    "--requests",
    "requests_1000",
    type=Number(0),
    default=0,
    metavar="PRICE",
    help="Price of a thousand requests to the store.",
)
@click.option(
    "--gb-month",
    type=Number(0),
    default=0,
    metavar="PRICE",
    help="Price of keeping a gigabyte for a month.",
)
@click.option(
    "--figures",
    "figures_path",
    type=PATH,
    metavar="FILE",
    help="What a song takes on your machines, by python -m benchmarks.fleet.",
)
@json_option
def cost(
    songs: int,
    mean_mb: float,
    mean_s: float,
    shard_size: int,
    figures_path: Path | None,
    as_json: bool,
    cores: int,
    gbit_s: float,
    **prices: float,
) -> None:
    """Say what N songs cost: core-hours, bytes, money, time, and what they wait for.

    Prices are in your currency. What a song takes was measured on one machine, which is named.
    """
    import json

    from genrescope.fleet.cost import Fleet, Songs, estimate, read_figures

    figures = read_figures(figures_path)
    machines = Fleet(cores, gbit_s, **prices)
    found = estimate(Songs(songs, mean_mb, mean_s, shard_size), machines, figures)
    if as_json:
        print(json.dumps(found.to_dict()))
        return
    echo(f"processor       {found.core_hours:,.1f} core-hours: {_hours(found.processor_h)} alone")
    echo(f"network         {found.read_tb:,.3f} TB to read: {_hours(found.network_h)} alone")
    echo(f"time            {_hours(found.hours)}, waiting for the {found.bottleneck}")
    echo(f"answers, plan   {found.kept_gb:,.2f} GB")
    if any(prices.values()):
        echo(
            f"money           {found.money:,.2f}: cores {found.processor_money:,.2f}, reading "
            f"{found.reading_money:,.2f}, requests {found.requests_money:,.2f}"
        )
        echo(f"each month      {found.keeping_money_month:,.2f} for the answers")
    echo(f"measured        {figures.date} on {figures.machine}")


def _hours(hours: float) -> str:
    return _duration(hours * _HOUR_S)


def _duration(seconds: float) -> str:
    for unit, name in ((_DAY_S, "days"), (_HOUR_S, "hours"), (_MINUTE_S, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.0f} seconds"
