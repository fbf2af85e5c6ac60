"""What workers do with shards in the tests of engines; a worker imports it."""

from __future__ import annotations

import os
from collections.abc import Set
from pathlib import Path

from genrescope.fleet.plan import Shard


class Noted:
    """Leaves a line for each try of a shard: its number, the process and its threads.

    Args:
        folder: where to.
        fails: shards that raise.
        dies: shards whose worker ends.
        tries: of these so many; then they are done.
    """

    def __init__(
        self, folder: Path, *, fails: Set[int] = frozenset(), dies: Set[int] = frozenset(),
        tries: int = 1_000,
    ) -> None:  # fmt: skip
        self.folder, self.fails, self.dies, self.tries = folder, fails, dies, tries

    def __call__(self, shard: Shard) -> None:
        with (self.folder / str(shard.number)).open("a") as file:
            file.write(f"{os.getpid()} {os.environ['OMP_NUM_THREADS']}\n")
        if len(self.noted(shard.number)) > self.tries:
            return
        if shard.number in self.dies:
            os._exit(7)
        if shard.number in self.fails:
            raise ValueError(f"shard {shard.number}\nis not liked")

    def noted(self, number: int) -> list[str]:
        """The lines of a shard."""
        return (self.folder / str(number)).read_text().splitlines()
