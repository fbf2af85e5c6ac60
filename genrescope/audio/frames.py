"""Frames of FFmpeg's as blocks of floats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import copy
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

_MANY_PLANES = 8
_buffer = cast("Callable[[AudioPlane | NDArray[Any]], memoryview]", memoryview)  # by protocol
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
    kind: tuple[int, int, str] | None = None
    held: _Held | None = None
    n = 0
    for frame in frames:
        now = (frame.sample_rate, frame.layout.nb_channels, frame.format.name)
        end = n + frame.samples
        if held is None or now != kind or end > held.length:
            if kind is not None and held is not None and n:
                yield Kind(*kind), held.first(n)
            if now != kind:
                check(Kind(*now))
            kind, n, end = now, 0, frame.samples
            held = _Held(frame, BLOCK_LENGTH + end)
        held.put(frame, n)
        n = end
        if n >= BLOCK_LENGTH:
            yield Kind(*now), held.first(n)
            held, n = held.anew(), 0
    if kind is not None and held is not None and n:
        yield Kind(*kind), held.first(n)


class _Held:
    """Samples of frames of one kind, copied plane by plane as bytes: no array for each plane.

    Args:
        frame: one of them.
        length: samples a channel that there is room for.
    """

    def __init__(self, frame: AudioFrame, length: int) -> None:
        n_channels, form = frame.layout.nb_channels, frame.format
        # PyAV looks for a null after the last of FFmpeg's 8 plane pointers, and crashes.
        self._must_pack = form.is_planar and n_channels >= _MANY_PLANES
        self._is_packed = self._must_pack or not form.is_planar
        self.length = length
        shape = (length, n_channels) if self._is_packed else (n_channels, length)
        self._samples: NDArray[Any] = np.empty(shape, _TYPES[form.name.removesuffix("p")])
        self._view_bytes()

    def anew(self) -> _Held:
        """Room for as many again, elsewhere: what was filled is used by others."""
        new = copy(self)
        new._samples = np.empty_like(self._samples)
        new._view_bytes()
        return new

    def _view_bytes(self) -> None:
        self._bytes = _buffer(self._samples).cast("B")
        self._step = self._samples.strides[0 if self._is_packed else 1]  # bytes a sample
        self._row = self._samples.strides[0]  # bytes a plane

    def put(self, frame: AudioFrame, at: int) -> None:
        """Copy a frame to the samples from ``at`` on."""
        if self._must_pack:
            frame = _packed(frame)
        begin, size = at * self._step, frame.samples * self._step
        for plane in frame.planes:
            self._bytes[begin : begin + size] = _buffer(plane)[:size]
            begin += self._row

    def first(self, n: int) -> NDArray[Any]:
        """(n_channels, n)."""
        return self._samples[:n].T if self._is_packed else self._samples[:, :n]


def _packed(frame: AudioFrame) -> AudioFrame:
    from av.audio.resampler import AudioResampler

    return AudioResampler(format=frame.format.name.removesuffix("p")).resample(frame)[0]


def _to_float(samples: NDArray[Any]) -> NDArray[np.float32]:
    if samples.dtype.kind == "f":
        with np.errstate(over="ignore"):  # float64 beyond float32 becomes infinite, and is refused
            return samples.astype(np.float32, copy=False)
    full_scale = np.float32(2 ** (8 * samples.dtype.itemsize - 1))
    offset = full_scale if samples.dtype.kind == "u" else np.float32(0)
    return (samples.astype(np.float32) - offset) / full_scale
