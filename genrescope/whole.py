"""Files that are there whole or not at all, whenever their writing is interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a file beside ``path`` to write to, which takes its place once all is written.

    What raises within leaves ``path`` as it was, and nothing beside it.
    """
    part = path.with_name(path.name + ".part")
    try:
        yield part
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
