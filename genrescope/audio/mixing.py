"""Fewer channels than there were."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genrescope.audio.reader import Block

MAX_STEREO_SR = 48_000
"""The most that loudspeakers are given, Hz."""
CANCELS = 0.02
"""Share of two channels' power that is left in their mean, below which they cancel."""
_FROM_5_1 = np.array([[1, 0, 0.707, 0, 0.707, 0], [0, 1, 0.707, 0, 0, 0.707]], dtype=np.float32)


def to_stereo(channels: Block) -> Block:
    """Two channels as they are, 5.1 as two, and any other number as one, their mean.

    Args:
        channels: float32 (n_samples, n_channels); six are front left, front right, centre, low
            frequencies, left and right surround (ITU-R BS.775).
    """
    if channels.shape[1] == 2:
        return channels
    if channels.shape[1] == 6:
        return np.stack([(channels * side).sum(axis=1) for side in _FROM_5_1], axis=1)
    return to_mono(channels)[:, None]


def to_mono(block: Block) -> NDArray[np.float32]:
    """Mean of the channels; of two that cancel, as one miswired does the other, the louder."""
    n_channels = block.shape[1]
    if n_channels == 1:
        return block[:, 0]
    with np.errstate(over="ignore", invalid="ignore"):  # not finite: refused by the caller
        # As sums of columns three times faster than mean(axis=1).
        mixed = block[:, 0] + block[:, 1]
        for channel in range(2, n_channels):
            mixed += block[:, channel]
        mixed *= np.float32(1 / n_channels)
        if n_channels == 2:
            # Without a copy, whether the samples of each channel lie together or alternate.
            rows = [block.ravel()] if block.flags.c_contiguous else block.T
            power = sum(float(np.dot(row, row)) for row in rows)
            if 2 * float(np.dot(mixed, mixed)) < CANCELS * power:
                louder = int(np.square(block).sum(axis=0).argmax())
                return np.ascontiguousarray(block[:, louder])
    return mixed


def conform(block: Block, n_channels: int) -> Block:
    """The block with `n_channels`; where a damaged file changes their number, its mean in each."""
    if block.shape[1] == n_channels:
        return block
    return np.repeat(to_mono(block)[:, None], n_channels, axis=1)
