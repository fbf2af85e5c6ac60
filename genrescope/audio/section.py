"""A section of a recording: read, mixed, resampled, and refused where it is no sound."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrescope.audio.reader import SR_RANGE_HZ, Block, Reader
from genrescope.audio.resampling import resampled
from genrescope.audio.scale import refuse_unscaled
from genrescope.audio.source import Input
from genrescope.errors import AudioError, AudioTooLongError

# 240 dB over full scale; the square of much more is infinite in float32.
LOUDEST = 1e12

# Output samples by which a section begins early, so that soxr's filter has its past.
_LEAD_LENGTH = 512


@dataclass(frozen=True)
class Section:
    """What is asked of a recording; see `decode`."""

    sr: int | None
    start: float
    duration: float | None
    max_duration_s: float | None

    def __post_init__(self) -> None:
        low, high = SR_RANGE_HZ
        if self.sr is not None and not low <= self.sr <= high:
            raise ValueError(f"sr must be within {low} and {high} Hz, not {self.sr}")
        if not (math.isfinite(self.start) and self.start >= 0):
            raise ValueError(f"start must be a time in s, 0 or later, not {self.start}")
        for option in ("duration", "max_duration_s"):
            value = getattr(self, option)
            if value is not None and not value > 0:
                raise ValueError(f"{option} must be positive, not {value}")


def pieces(
    file: Input, reader: Reader, section: Section, mix: Callable[[Block], NDArray[np.float32]]
) -> Iterator[NDArray[np.float32]]:
    """Mixed, resampled, finite pieces of the section, within its limits."""
    sr = section.sr or reader.sr
    first = round(section.start * sr)
    wanted = _end(section, sr) - first
    _refuse_long_header(file, reader, section)
    native_start, skip = _anchor(first, reader.sr, sr)
    done = 0
    blocks = reader.blocks(native_start)
    if reader.n_bits > 24 and native_start == 0:
        blocks = refuse_unscaled(blocks, file.name, reader.n_bits)
    mixed = (mix(block) for block in blocks)
    for piece in resampled(mixed, reader.sr, sr):
        file.check()
        piece, skip = piece[skip:], max(0, skip - len(piece))
        piece = piece[: int(min(len(piece), wanted - done))]
        done += len(piece)
        if section.max_duration_s is not None and done > section.max_duration_s * sr:
            raise _too_long(file, section.max_duration_s)
        if len(piece):
            _refuse_no_sound(file, float(piece.min()), float(piece.max()))
            yield piece
        if done >= wanted:
            return
    file.check()
    if not done and first:
        raise AudioError(
            file.name, f"it ends before {section.start:g} s", "Choose an earlier start."
        )
    if not done:
        raise AudioError(file.name, "it holds no samples", "Record or export it again.")


def _refuse_no_sound(file: Input, low: float, high: float) -> None:
    if low >= -LOUDEST and high <= LOUDEST:
        return
    what = "samples far beyond full scale"
    if not (math.isfinite(low) and math.isfinite(high)):
        what = "NaN or infinite samples"
    raise AudioError(file.name, f"it holds {what}", "Export it again as integer samples.")


def _end(section: Section, sr: int) -> float:
    if section.duration is None or math.isinf(section.duration):
        return math.inf
    first = round(section.start * sr)
    return max(first + 1, round((section.start + section.duration) * sr))


def _refuse_long_header(file: Input, reader: Reader, section: Section) -> None:
    limit = section.max_duration_s
    if limit is None or reader.n_samples is None:
        return
    asked = math.inf if section.duration is None else section.duration
    if min(reader.n_samples / reader.sr - section.start, asked) > limit:
        raise _too_long(file, limit)


def _too_long(file: Input, limit_s: float) -> AudioTooLongError:
    limit = f"{limit_s / 60:g} minutes" if limit_s >= 120 else f"{limit_s:g} seconds"
    return AudioTooLongError(file.name, f"it is longer than {limit}", f"Cut it to at most {limit}.")


def _anchor(first: int, sr_in: int, sr_out: int) -> tuple[int, int]:
    """Where to begin reading so that a section falls on the samples of the whole.

    Returns:
        a sample of the file that coincides in time with a sample of the resampled whole, a little
        before its sample `first`, and the number of resampled samples from there to `first`.
    """
    if sr_in == sr_out:
        return first, 0
    common = math.gcd(sr_in, sr_out)
    step_in, step_out = sr_in // common, sr_out // common
    lead = math.ceil(_LEAD_LENGTH * max(1.0, sr_out / sr_in))
    steps = max(0, first - lead) // step_out
    return steps * step_in, first - steps * step_out
