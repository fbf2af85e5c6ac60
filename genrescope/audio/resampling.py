"""Another sample rate, block by block."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray


def resampled(
    blocks: Iterable[NDArray[np.float32]], sr_in: int, sr_out: int
) -> Iterator[NDArray[np.float32]]:
    """Blocks (n,) or (n, n_channels) at another rate, by soxr's HQ; the joins are not heard."""
    if sr_in == sr_out:
        yield from blocks
        return
    import soxr

    resampler: soxr.ResampleStream | None = None
    for block in blocks:
        if resampler is None:
            n_channels = math.prod(block.shape[1:])
            resampler = soxr.ResampleStream(sr_in, sr_out, n_channels, "float32", quality="HQ")
            end = np.ascontiguousarray(block[:0])
        yield resampler.resample_chunk(np.ascontiguousarray(block))
    if resampler is not None:
        yield resampler.resample_chunk(end, last=True)
