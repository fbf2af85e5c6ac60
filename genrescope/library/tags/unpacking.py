"""Bounds what compressed ID3 frames unpack to: mutagen unpacks them whole, whatever their size."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mutagen.id3 import _frames

MOST_BYTES = 1 << 25
"""Of all frames of a file: more than any cover has."""


class TooMuchError(Exception):
    """A file's frames unpack to more than `MOST_BYTES`. No error of mutagen's own, since it drops
    frames that raise those, and they would be lost when the tags are written."""


_budget = threading.local()


@contextmanager
def bounded_unpacking() -> Iterator[None]:
    """While a file's tags are read, in this thread. Elsewhere each frame is bounded alone."""
    _budget.left = MOST_BYTES
    try:
        yield
    finally:
        del _budget.left


class _BoundedZlib:
    """What mutagen uses of zlib."""

    error = zlib.error

    @staticmethod
    def decompress(data: bytes) -> bytes:
        left = getattr(_budget, "left", MOST_BYTES)
        unpacker = zlib.decompressobj()
        unpacked = unpacker.decompress(data, left + 1)
        if len(unpacked) > left:
            raise TooMuchError(f"its frames unpack to more than {MOST_BYTES >> 20} MB")
        if not unpacker.eof:
            raise zlib.error("incomplete or truncated stream")
        if hasattr(_budget, "left"):
            _budget.left = left - len(unpacked)
        return unpacked


_module: Any = _frames  # it has no types
_module.zlib = _BoundedZlib
