"""A fingerprint of sound that survives codecs, levels and shifts, and tells recordings apart.

Signs of how the energy differences of neighbouring bands change from frame to frame: Haitsma and
Kalker 2002, "A Highly Robust Audio Fingerprinting System", at twice its step.
"""

from __future__ import annotations

import os
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from genrescope.audio.decode import decode
from genrescope.audio.isolation import CONVERT, FOLDER_LIMITS, ask, in_time, warm_up
from genrescope.audio.source import name_of
from genrescope.errors import AudioError
from genrescope.sandbox import Sandbox
from genrescope.sandbox_worker import Handler, Reply

SR = 5_512
HOP_S = 128 / SR
SAME = 0.30
"""Share of different bits below which two recordings are the same sound; chance is .5, and the
source's own threshold .35."""

_FRAME, _HOP, _BANDS = 2_048, 128, 33
_LOW_HZ, _HIGH_HZ = 300.0, 2_000.0
_LENGTH_S = 60.0
_SHIFT_S = 3.0
_SAMPLE, _TRIED = 256, 8  # numbers of a fingerprint, and shifts of all that are looked at closely
_SHORTEST_S = 3.0  # of what two recordings have in common
_MOST = round(_LENGTH_S / HOP_S)
_WINDOW = np.hanning(_FRAME + 1)[:-1].astype(np.float32)


class Fingerprints:
    """Fingerprints of recordings, decoded in a process that a bad one may end.

    Attributes:
        kind: what makes them; those of different kinds cannot be compared.
        hop_s: seconds from one number of a fingerprint to the next.
        same: share of different bits below which two recordings are the same sound.
    """

    kind = "own"
    hop_s = HOP_S
    same = SAME
    _handler = "genrescope.library.fingerprint:handler"

    def __init__(self) -> None:
        self._sandbox = Sandbox(
            self._handler,
            {},
            processes=1,
            memory_bytes=FOLDER_LIMITS.memory_bytes,
        )

    def of(self, path: str | os.PathLike[str]) -> NDArray[np.uint32]:
        """The fingerprint of a recording's first minute.

        Returns:
            uint32 (n,), one for each `HOP_S`; empty for less than half a second.

        Raises:
            AudioError: it cannot be decoded, or not in time, or ended the process that tried.
            GenrescopeError: no process can be started.
        """
        return self._numbers(path, "<u4", most=_MOST).astype(np.uint32)

    def _numbers(self, path: str | os.PathLike[str], kind: str, *, most: int) -> NDArray[Any]:
        """What the process answers to a recording: up to ``most`` numbers of a kind."""
        name = name_of(path)
        with in_time(name) as deadline:
            reply = ask(self._sandbox, path, {}, deadline=deadline)
        (raw,) = reply.arrays if len(reply.arrays) == 1 else (np.zeros(0),)
        size = np.dtype(kind).itemsize
        if raw.dtype != np.uint8 or raw.ndim != 1 or len(raw) % size or len(raw) > size * most:
            raise AudioError(name, "it made the decoder answer nonsense", CONVERT)
        return raw.view(kind)

    def close(self) -> None:
        """End the process."""
        self._sandbox.close()


def handler() -> Handler:
    """What the process does: a job's file to its fingerprint, as bytes."""

    def fingerprint(file: BinaryIO, name: str | None = None) -> Reply:
        bits = of_samples(decode(file, sr=SR, duration=_LENGTH_S, name=name).samples)
        return Reply({}, (bits.astype("<u4").view(np.uint8),))

    warm_up(fingerprint)
    return lambda job: fingerprint(job.file, job.options["name"])


def of_samples(samples: NDArray[np.float32]) -> NDArray[np.uint32]:
    """The fingerprint of samples (n_samples,) at `SR`."""
    if len(samples) < _FRAME + _HOP:
        return np.zeros(0, np.uint32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, _FRAME)[::_HOP]
    power = np.abs(np.fft.rfft(frames * _WINDOW, axis=1)) ** 2
    edges = np.geomspace(_LOW_HZ, _HIGH_HZ, _BANDS + 1) * _FRAME / SR
    bounds = np.rint(edges).astype(np.int64)
    energy = np.add.reduceat(power[:, : bounds[-1]], bounds[:-1], axis=1)
    change = np.diff(energy[:, :-1] - energy[:, 1:], axis=0)
    bits = np.packbits(change > 0, axis=1)
    return np.ascontiguousarray(bits).view(">u4").ravel().astype(np.uint32)


def difference(
    fingerprint: NDArray[np.uint32], other: NDArray[np.uint32], *, hop_s: float = HOP_S
) -> float:
    """Share of different bits where two fingerprints fit best, up to three seconds shifted.

    1 where they have less than three seconds in common.

    Args:
        hop_s: seconds from one number of both to the next.
    """
    if not len(fingerprint) or not len(other):
        return 1.0
    most, least = round(_SHIFT_S / hop_s), round(_SHORTEST_S / hop_s)
    best = 1.0
    for shift in _likely_shifts(fingerprint, other, most):
        first, second = fingerprint[max(0, shift) :], other[max(0, -shift) :]
        n = min(len(first), len(second))
        if n >= least:
            unlike = np.bitwise_count(first[:n] ^ second[:n]).sum()
            best = min(best, float(unlike) / (32 * n))
    return best


def _likely_shifts(
    fingerprint: NDArray[np.uint32], other: NDArray[np.uint32], most: int
) -> list[int]:
    """The shifts at which a sample of both differs least; all would take ten times as long."""
    shifts = np.arange(-most, most + 1)
    at = np.unique(np.linspace(0, len(other) - 1, _SAMPLE).astype(np.int64))
    place = at[None, :] + shifts[:, None]
    inside = (place >= 0) & (place < len(fingerprint))
    numbers = fingerprint[np.clip(place, 0, len(fingerprint) - 1)]
    unlike = np.where(inside, np.bitwise_count(numbers ^ other[at][None, :]), 0).sum(axis=1)
    counts = inside.sum(axis=1)
    share = np.where(counts > 0, unlike / np.maximum(counts, 1), 32.0)
    return [int(shift) for shift in shifts[np.argsort(share, kind="stable")[:_TRIED]]]
