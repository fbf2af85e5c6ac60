"""Frames of FFmpeg's as blocks of floats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from genrescope.audio.reader import BLOCK_LENGTH, Block
from genrescope.audio.resampling import resampled

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.plane import AudioPlane

MAX_FRAME_LENGTH = 1 << 18
"""Samples a channel; the longest frames that encoders write are of a second."""

_TYPES = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}


class Kind(NamedTuple):
    """What frames have in common: rate in Hz, channels, FFmpeg's name of the samples' format."""

    sr: int
    n_channels: int
    form: str

    @classmethod
    def of(cls, frame: AudioFrame) -> Kind:
        return cls(frame.sample_rate, frame.layout.nb_channels, frame.format.name)

    @property
    def n_bits(self) -> int:
        """Bits of a sample that is a whole number of more than 16; else 0."""
        return {"s32": 32, "s64": 64}.get(self.form.removesuffix("p"), 0)


def frame_blocks(
    frames: Iterable[AudioFrame], sr: int, *, check: Callable[[Kind], None]
) -> Iterator[Block]:
    """Blocks float32 (n, n_channels) in [-1, 1], all at `sr` Hz.

    Gaps in time are closed up. Rate and channels may change midway, in joined or damaged files.

    Args:
        frames: at least one.
        sr: of the blocks.
        check: called with each new kind of frames; may raise.
    """
    for kind, stretches in groupby(_stretches(frames, check), key=lambda stretch: stretch[0]):
        yield from resampled((_to_float(samples).T for _, samples in stretches), kind.sr, sr)


def _stretches(
    frames: Iterable[AudioFrame], check: Callable[[Kind], None]
) -> Iterator[tuple[Kind, NDArray[Any]]]:
    """Samples (n_channels, n) of frames of one kind, `BLOCK_LENGTH` or a little more at a time."""
    kind, held, n = None, np.empty((0, 0)), 0
    for frame in frames:
        now = (frame.sample_rate, frame.layout.nb_channels, frame.format.name)
        end = n + frame.samples
        if now != kind or end > held.shape[1]:
            if kind is not None and n:
                yield Kind(*kind), held[:, :n]
            if now != kind:
                check(Kind(*now))
                copy = _copier(frame)
            kind, n, end = now, 0, frame.samples
            dtype = _TYPES[now[2].removesuffix("p")]
            held = np.empty((now[1], BLOCK_LENGTH + end), dtype)
        copy(frame, held[:, n:end])
        n = end
        if n >= BLOCK_LENGTH:
            yield Kind(*kind), held[:, :n]
            held, n = np.empty_like(held), 0
    if kind is not None and n:
        yield Kind(*kind), held[:, :n]


def _copier(frame: AudioFrame) -> Callable[[AudioFrame, NDArray[Any]], None]:
    """What copies the samples of frames like this one to (n_channels, n)."""
    if not frame.format.is_planar:
        return _copy_packed
    # PyAV looks for a null after the last of FFmpeg's 8 plane pointers, and crashes.
    return _copy_planes if frame.layout.nb_channels < 8 else _copy_many_planes


def _copy_packed(frame: AudioFrame, out: NDArray[Any]) -> None:
    samples: NDArray[Any] = np.frombuffer(_buffer(frame.planes[0]), out.dtype, out.size)
    out[:] = samples.reshape(out.shape[::-1]).T


def _copy_planes(frame: AudioFrame, out: NDArray[Any]) -> None:
    n = out.shape[1]
    for row, plane in zip(out, frame.planes, strict=True):
        row[:] = np.frombuffer(_buffer(plane), out.dtype, n)


def _copy_many_planes(frame: AudioFrame, out: NDArray[Any]) -> None:
    from av.audio.resampler import AudioResampler

    packed = AudioResampler(format=frame.format.name.removesuffix("p")).resample(frame)
    _copy_packed(packed[0], out)


def _buffer(plane: AudioPlane) -> memoryview:
    return cast("memoryview", plane)  # by protocol


def _to_float(samples: NDArray[Any]) -> NDArray[np.float32]:
    if samples.dtype.kind == "f":
        with np.errstate(over="ignore"):  # float64 beyond float32 becomes infinite, and is refused
            return samples.astype(np.float32, copy=False)
    full_scale = np.float32(2 ** (8 * samples.dtype.itemsize - 1))
    offset = full_scale if samples.dtype.kind == "u" else np.float32(0)
    return (samples.astype(np.float32) - offset) / full_scale
