"""Whole numbers that were written without scaling them to full scale."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from genrescope.audio.reader import Block
from genrescope.errors import AudioError

# Loudest sample below which a file's scale is in doubt, by bits: as much as 16 and 32 bits hold.
_TOO_QUIET = {32: 2.0**-15, 64: 2.0**-31}


def refuse_unscaled(blocks: Iterable[Block], name: str, n_bits: int) -> Iterator[Block]:
    """The same blocks; after the last an error, if the numbers of all of them were too small.

    Programs write numbers that fit into 16 bits as 32 or 64 without scaling them, and what is
    music to them is silence for all others. A converter of 24 bits, however quiet, leaves the
    lowest 8 of 32 bits empty; there are numbers in them only where somebody computed.

    Raises:
        AudioError: the whole recording looks like that.
    """
    peak, uses_lowest_bits = 0.0, n_bits > 32
    for block in blocks:
        loudest = float(np.abs(block).max(initial=0.0))
        peak = max(peak, loudest)
        if not uses_lowest_bits and loudest < _TOO_QUIET[n_bits]:
            uses_lowest_bits = bool(np.any(block * np.float32(2**31) % 256))
        yield block
    if 0 < peak < _TOO_QUIET[n_bits] and uses_lowest_bits:
        raise AudioError(
            name,
            f"its scale looks wrong: the loudest of its numbers of {n_bits} bits is "
            f"{peak * 2.0 ** (n_bits - 1):.0f}",
            f"Multiply them, so that they reach up to {2.0 ** (n_bits - 1):.3g}, "
            "or write 16 bits or float.",
        )
