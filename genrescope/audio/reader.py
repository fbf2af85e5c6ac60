"""What an open recording is to the decoder, whichever library reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from genrescope.audio.source import Input
from genrescope.errors import AudioError

Block = NDArray[np.float32]  # (n_samples, n_channels)

BLOCK_LENGTH = 1 << 16  # samples a channel: 1.5 s at 44.1 kHz
MAX_CHANNELS = 32
SR_RANGE_HZ = (1_000, 768_000)
MAX_DSD_SR = 2_822_400  # FFmpeg gives eight bits of DSD512 as a sample, which are then resampled
MAX_SAMPLES_PER_S = 6_000_000  # of all channels: 7 at 768 kHz, two of DSD512

DAMAGED = "Record, export or download it again, or convert it to WAV or FLAC."


class Reader(Protocol):
    """An open recording.

    Attributes:
        sr: sample rate in Hz.
        n_channels: channels of the first block; later ones may differ in a damaged file.
        n_samples: samples a channel by the header, or None where it does not say.
        n_bits: of a sample in the file, where it is a whole number; else 0.
        truncated: frames were broken or the file is cut, as far as it was read.
    """

    sr: int
    n_channels: int
    n_samples: int | None
    n_bits: int
    truncated: bool

    def blocks(self, start: int = 0) -> Iterator[Block]:
        """Blocks float32 (n, n_channels) from sample `start` on; to be called once."""
        ...

    def close(self) -> None: ...


def check_limits(file: Input, n_channels: int, sr: int, *, is_dsd: bool = False) -> None:
    """Refuse what no recording has: it comes from a damaged or hostile header."""
    if not 1 <= n_channels <= MAX_CHANNELS:
        raise AudioError(
            file.name, f"it claims {n_channels} channels; 1 to {MAX_CHANNELS} are read", DAMAGED
        )
    low, high = SR_RANGE_HZ
    if not low <= sr <= (MAX_DSD_SR if is_dsd else high):
        raise AudioError(
            file.name, f"it claims {sr} samples a second; {low} to {high} are read", DAMAGED
        )
    if n_channels * sr > MAX_SAMPLES_PER_S:
        raise AudioError(
            file.name,
            f"it claims {n_channels} channels of {sr} samples a second; "
            f"{MAX_SAMPLES_PER_S} in all are read",
            "Convert it to two channels.",
        )
