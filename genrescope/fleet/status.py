"""How far a run has come, from its files alone."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from genrescope.errors import FleetError
from genrescope.fleet.plan import read_plan
from genrescope.fleet.rows import Counts, read_counts
from genrescope.fleet.shard import RUN, read_run
from genrescope.fleet.store import Entry, Folder

_RATE_OVER = 100  # parts, the last ones
_READERS = 16


@dataclass(frozen=True)
class Status:
    """How far a run has come.

    Attributes:
        songs, songs_done: planned, and answered for.
        shards, shards_done: likewise.
        errors: songs without an answer, by code.
        songs_per_s: over the last hundred shards; None before the second one.
        seconds_left: at that rate; None where it is unknown.
        bundle: name of what answers.
    """

    songs: int
    songs_done: int
    shards: int
    shards_done: int
    errors: dict[str, int]
    songs_per_s: float | None
    seconds_left: float | None
    bundle: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return dict(vars(self))


class Watch:
    """Looks at a run again and again; each part is read once.

    Raises:
        FleetError: the folder holds no run.
    """

    def __init__(self, out: Folder) -> None:
        self._out = out
        if RUN not in {entry.name for entry in out.entries()}:
            raise FleetError(out.url, "it holds no run", "Name the folder that fleet run wrote to.")
        self._plan = read_plan(out)
        self._bundle = str(read_run(out)["bundle"])
        self._parts: dict[str, tuple[float, Counts]] = {}

    def look(self, now: float | None = None) -> Status:
        """The run as it is now.

        Args:
            now: s since 1970; by default the clock's.
        """
        planned = {shard.part for shard in self._plan.shards}
        entries = {e.name: e for e in self._out.entries()}
        new = [e for name, e in entries.items() if name in planned and name not in self._parts]
        with ThreadPoolExecutor(_READERS) as pool:
            for entry, counts in zip(new, pool.map(self._counts, new), strict=True):
                self._parts[entry.name] = entry.modified, counts
        started = entries[RUN].modified
        done = sum(counts.songs for _, counts in self._parts.values())
        errors: Counter[str] = Counter()
        for _, counts in self._parts.values():
            errors.update(counts.errors)
        left = self._plan.n_songs - done
        rate = self._rate(started, time.time() if now is None else now, complete=left == 0)
        return Status(
            songs=self._plan.n_songs,
            songs_done=done,
            shards=len(planned),
            shards_done=len(self._parts),
            errors=dict(sorted(errors.items())),
            songs_per_s=rate,
            seconds_left=None if rate is None else left / rate,
            bundle=self._bundle,
        )

    def _counts(self, entry: Entry) -> Counts:
        try:
            with self._out.open(entry.name) as file:
                return read_counts(file)
        except ValueError as error:
            raise FleetError(
                f"{self._out.url}/{entry.name}", str(error), "Remove it and give fleet run again."
            ) from error

    def _rate(self, started: float, now: float, *, complete: bool) -> float | None:
        """Songs a second; of a run that stands still it falls."""
        ends = sorted((when, counts.songs) for when, counts in self._parts.values())
        ends = ends[-_RATE_OVER - 1 :]
        if len(ends) <= _RATE_OVER:
            ends.insert(0, (started, 0))
        if len(ends) < 2:
            return None
        until = ends[-1][0] if complete else max(now, ends[-1][0])
        seconds = until - ends[0][0]
        return sum(n for _, n in ends[1:]) / seconds if seconds > 0 else None
