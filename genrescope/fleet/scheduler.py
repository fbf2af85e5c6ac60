"""Which shard is next, and what becomes of one whose worker is lost: no clock, no processes."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass

from genrescope.fleet.plan import Shard

TRIES = 3
"""How often a shard is given to a worker before it counts as failed."""


@dataclass(frozen=True)
class Outcome:
    """How a shard ended; ``error`` says why it failed, None where it is done."""

    shard: Shard
    error: str | None = None


class Scheduler:
    """Hands out shards in order; a worker holds one at a time.

    Whoever is free takes the next, so that a slow worker holds up nobody. What was lost is tried
    again before what is new, since the end of a run waits for it.
    """

    def __init__(self, shards: Iterable[Shard]) -> None:
        self._new = iter(shards)
        self._again: deque[Shard] = deque()
        self._tries: Counter[int] = Counter()
        self._n_out = 0
        self._next: Shard | None = next(self._new, None)

    @property
    def finished(self) -> bool:
        """Whether every shard is done or failed."""
        return self._n_out == 0 and not self.has_next

    @property
    def has_next(self) -> bool:
        return bool(self._again) or self._next is not None

    def take(self) -> Shard | None:
        """A shard for a worker that is free; None where none is left."""
        if self._again:
            shard = self._again.popleft()
        elif self._next is not None:
            shard, self._next = self._next, next(self._new, None)
        else:
            return None
        self._n_out += 1
        return shard

    def done(self, shard: Shard) -> Outcome:
        """A worker has committed its shard."""
        self._n_out -= 1
        self._tries.pop(shard.number, None)
        return Outcome(shard)

    def lost(self, shard: Shard, why: str) -> Outcome | None:
        """A worker ended, or failed, before it committed its shard; None: it is tried again."""
        self._n_out -= 1
        self._tries[shard.number] += 1
        if self._tries[shard.number] < TRIES:
            self._again.append(shard)
            return None
        return Outcome(shard, why)
