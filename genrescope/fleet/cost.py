"""What N songs cost: core-hours, bytes, money and time, and which of them to do something about."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

from genrescope.errors import FleetError

_BITS = 8
_GIGA = 1e9
_HOUR_S = 3600.0
_MONTH_DAYS = 30.0


@dataclass(frozen=True)
class Figures:
    """What was measured on a machine (``python -m benchmarks.fleet`` writes them).

    Attributes:
        core_s: seconds of a core for a song of ``song_s``: read, decode, features, net, row.
        song_s: length of the songs that were measured, s.
        row_bytes: of an answer in Parquet.
        manifest_bytes: of a song in a plan.
        shard_s: seconds from the end of a shard to the start of the next, all songs apart.
        start_s: seconds until a worker has its libraries and its model.
        machine, date, versions: what they were measured on and when.
    """

    core_s: float
    song_s: float
    row_bytes: float
    manifest_bytes: float
    shard_s: float
    start_s: float
    machine: str
    date: str
    versions: str


@dataclass(frozen=True)
class Fleet:
    """What works, and what it costs; prices are in whatever currency.

    Attributes:
        cores: of all machines.
        gbit_s: network to where the songs lie, Gbit/s, all machines together.
        core_hour: price of a core for an hour.
        gb: price of reading a gigabyte.
        requests_1000: price of a thousand requests to the store.
        gb_month: price of keeping a gigabyte for a month.
    """

    cores: int
    gbit_s: float
    core_hour: float = 0.0
    gb: float = 0.0
    requests_1000: float = 0.0
    gb_month: float = 0.0


@dataclass(frozen=True)
class Songs:
    """How many songs, and the mean of them.

    Attributes:
        n: how many.
        mean_mb: bytes of one, in millions.
        mean_s: length of one, s.
        shard_size: songs in a shard.
    """

    n: int
    mean_mb: float
    mean_s: float
    shard_size: int


@dataclass(frozen=True)
class Estimate:
    """What it comes to.

    Attributes:
        core_hours: of processor.
        read_tb, kept_gb: bytes read, and bytes of answers and plan.
        processor_h, network_h: hours that each would need alone.
        hours: from start to end.
        bottleneck: ``processor`` or ``network``, what the others wait for.
        processor_money, reading_money, requests_money: parts of ``money``.
        keeping_money_month: for the answers, each month.
        money: once.
    """

    core_hours: float
    read_tb: float
    kept_gb: float
    processor_h: float
    network_h: float
    hours: float
    bottleneck: str
    processor_money: float
    reading_money: float
    requests_money: float
    keeping_money_month: float
    money: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True)
class ExcerptCost:
    """What judging three places of a recording cost (``python -m benchmarks.excerpt`` writes it).

    Attributes:
        tracks: how many were judged, none of them learned by the bundle.
        clip_s, excerpt_s: length of a recording, and of its places together, s.
        accuracy, accuracy_excerpt: share of right answers, by all of it and by the places.
        change_low, change_high: 95 % interval of the second less the first, a paired bootstrap.
        agree: share of tracks that got the same answer.
        bundle, date: which bundle answered, and when.
    """

    tracks: int
    clip_s: float
    excerpt_s: float
    accuracy: float
    accuracy_excerpt: float
    change_low: float
    change_high: float
    agree: float
    bundle: str
    date: str

    def __str__(self) -> str:
        return (
            f"accuracy {self.accuracy_excerpt:.3f} by three places of {self.excerpt_s:.3g} s in "
            f"all, {self.accuracy:.3f} by the whole {self.clip_s:.3g} s (change "
            f"{self.accuracy_excerpt - self.accuracy:+.3f}, 95 % {self.change_low:+.3f} to "
            f"{self.change_high:+.3f}); {self.agree:.0%} of {self.tracks} tracks got the same "
            f"answer ({self.date})"
        )


def read_excerpt_cost() -> ExcerptCost:
    """What was measured for the Genrescope that is installed."""
    text = (resources.files("genrescope.fleet") / "excerpt.json").read_text(encoding="utf-8")
    return ExcerptCost(**json.loads(text))


def song_core_s(songs: Songs, figures: Figures) -> float:
    """Seconds of a core for the mean song: what was measured, by its length."""
    return figures.core_s * songs.mean_s / figures.song_s


def estimate(songs: Songs, fleet: Fleet, figures: Figures) -> Estimate:
    """What songs cost on a fleet.

    Each worker reads ahead, so that the run takes as long as the slower of processor and network,
    the start, and at the end the wait for the last shard, which is counted whole. Cores are paid
    for from start to end.
    """
    shards = -(-songs.n // songs.shard_size)
    workers = min(fleet.cores, shards)
    core_s = songs.n * song_core_s(songs, figures) + shards * figures.shard_s
    read_bytes = songs.n * songs.mean_mb * 1e6
    kept_bytes = songs.n * (figures.row_bytes + figures.manifest_bytes)
    processor_s = core_s / workers
    network_s = read_bytes * _BITS / (fleet.gbit_s * _GIGA)
    last_s = core_s / shards if shards > workers else 0.0
    seconds = max(processor_s, network_s) + figures.start_s + last_s
    processor_money = fleet.cores * seconds / _HOUR_S * fleet.core_hour
    reading_money = read_bytes / _GIGA * fleet.gb
    requests_money = (songs.n + 3 * shards) / 1000 * fleet.requests_1000
    return Estimate(
        core_hours=core_s / _HOUR_S,
        read_tb=read_bytes / 1e12,
        kept_gb=kept_bytes / _GIGA,
        processor_h=processor_s / _HOUR_S,
        network_h=network_s / _HOUR_S,
        hours=seconds / _HOUR_S,
        bottleneck="processor" if processor_s >= network_s else "network",
        processor_money=processor_money,
        reading_money=reading_money,
        requests_money=requests_money,
        keeping_money_month=kept_bytes / _GIGA * fleet.gb_month,
        money=processor_money + reading_money + requests_money,
    )


def read_figures(path: Path | None = None) -> Figures:
    """Figures from a file; by default those that come with Genrescope (FleetError: damaged)."""
    source = resources.files("genrescope.fleet") / "figures.json" if path is None else path
    try:
        payload = json.loads(source.read_text(encoding="utf-8"))
        figures = Figures(**{field.name: payload[field.name] for field in fields(Figures)})
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise FleetError(
            str(source),
            f"it holds no figures of a machine ({type(error).__name__}: {error})",
            "Have python -m benchmarks.fleet write them.",
        ) from error
    if min(figures.core_s, figures.song_s) <= 0:
        raise FleetError(str(source), "a song that takes no time is no measurement")
    return figures
