"""What has shards worked through: an engine is a module with one function, `map_shards`.

    map_shards(function, shards, workers=..., ...) -> Iterator[Outcome]

It calls ``function``, which can be pickled, with each shard, in ``workers`` processes wherever
they are, and tells how each ended, in the order of their ends. Who dies is replaced, and its
shard given to another (`genrescope.fleet.scheduler`). No state of the work is the engine's: what
is done is told by the files that ``function`` leaves.
"""

from __future__ import annotations

from collections.abc import Callable

from genrescope.fleet.plan import Shard

ShardFunction = Callable[[Shard], None]

MOST_DEATHS_IN_A_ROW = 10
"""After so many workers that died and no shard that was done, something else is wrong."""


def told(error: BaseException) -> str:
    """An exception in one line."""
    from genrescope.errors import GenrescopeError

    text = " ".join(str(error).split())
    return text if isinstance(error, GenrescopeError) else f"{type(error).__name__}: {text}"
