"""Whether one net is better than another: both answered for the same clips, so they are paired."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrescope.data.fold import track_of
from genrescope.model.interval import Interval, paired_bootstrap
from genrescope.reproduction.plan import PROTOCOLS, TASKS
from genrescope.reproduction.results import Result

PAIRS = (
    ("bigru", "cnn"),
    ("resnet18", "cnn"),
    ("res-bigru", "bigru"),
    ("res-bigru", "resnet18"),
    ("compact", "res-bigru"),
)
"""The order that the talk claims, each net against another that it calls worse; then what ships."""

TASK_PAIRS = tuple((name, "genre") for name in TASKS if name != "genre")
"""What is learned together, against the genre alone."""


@dataclass(frozen=True)
class Difference:
    """By how much a net is ahead of another.

    Attributes:
        protocol: what both were evaluated under.
        ahead, behind: the nets, as the talk's order has them.
        accuracy: of the first less that of the second, means over the seeds of each.
        n: clips both answered for.
        seeds: of the first and of the second.
    """

    protocol: str
    ahead: str
    behind: str
    accuracy: Interval
    n: int
    seeds: tuple[int, int]


def differences(
    results: Mapping[str, Result], pairs: Sequence[tuple[str, str]] = PAIRS
) -> list[Difference]:
    """All pairs whose nets answered for the very same clips of the feature store."""
    found = []
    for ahead, behind in pairs:
        for protocol in PROTOCOLS:
            first, second = (_hits(results, protocol, net) for net in (ahead, behind))
            if not first or not second or first.members != second.members:
                continue
            tracks = [track_of(member) for member in first.members]
            difference = paired_bootstrap(first.hits, second.hits, groups=tracks)
            seeds = (first.n_seeds, second.n_seeds)
            found.append(Difference(protocol, ahead, behind, difference, len(first.members), seeds))
    return found


def to_csv(found: Sequence[Difference]) -> str:
    """A line for each pair and protocol."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["protocol", "net", "less", "accuracy", "low", "high", "n", "seeds"])
    for difference in found:
        figures = [
            f"{v:.6f}"
            for v in (difference.accuracy.value, difference.accuracy.low, difference.accuracy.high)
        ]
        seeds = " and ".join(map(str, difference.seeds))
        writer.writerow(
            [
                difference.protocol,
                difference.ahead,
                difference.behind,
                *figures,
                difference.n,
                seeds,
            ]
        )
    return out.getvalue()


@dataclass(frozen=True)
class _Hits:
    members: tuple[str, ...]
    hits: NDArray[np.float64]
    """(n,) share of the seeds that were right."""
    n_seeds: int


def _hits(results: Mapping[str, Result], protocol: str, net: str) -> _Hits | None:
    mine = [
        r for r in results.values()
        if (r["protocol"], r["data"], r["input"], r["model"]) == (protocol, "all", "mel", net)
        and "answers" in r
    ]  # fmt: skip
    members = {tuple(r["answers"]["members"]) for r in mine}
    if len(members) != 1:
        return None
    right = [
        np.argmax(r["answers"]["probs"], axis=1) == np.array(r["answers"]["labels"]) for r in mine
    ]
    return _Hits(members.pop(), np.mean(right, axis=0), len(mine))
