"""Where in a clip a classifier looks: random windows to learn from, even ones to answer with.

Lengths and starts count columns of a spectrogram, or samples; the functions do not care.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.generic)


def random_windows(
    length: int, *, window_length: int, n_windows: int = 5, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Places of windows that do not overlap, every arrangement equally likely.

    Args:
        length: of the clip.
        window_length: of each window.
        n_windows: how many.
        rng: source of chance.

    Returns:
        int64 (n_windows,), the windows' starts in rising order.

    Raises:
        ValueError: so many windows do not fit into the clip side by side.
    """
    if window_length < 1 or n_windows < 1:
        raise ValueError(f"no such windows: {n_windows} of length {window_length}")
    slack = length - n_windows * window_length
    if slack < 0:
        raise ValueError(
            f"{n_windows} windows of length {window_length} do not fit into a clip of {length}"
        )
    # With every window shrunk to one place, an arrangement is a choice of places.
    places = np.sort(rng.choice(slack + n_windows, size=n_windows, replace=False, shuffle=False))
    starts: NDArray[np.int64] = places + np.arange(n_windows) * (window_length - 1)
    return starts


def grid(length: int, *, window_length: int, hop_length: int) -> NDArray[np.int64]:
    """Places of windows at even steps; the last one is moved to end where the clip ends.

    Args:
        length: of the clip.
        window_length: of each window.
        hop_length: from one start to the next.

    Returns:
        int64 (n_windows,), rising; 0 alone where the clip is no longer than a window.

    Raises:
        ValueError: a length is not positive.
    """
    if min(length, window_length, hop_length) < 1:
        raise ValueError(
            f"lengths must be positive: clip {length}, window {window_length}, hop {hop_length}"
        )
    last = max(0, length - window_length)
    starts = np.arange(0, last + 1, hop_length, dtype=np.int64)
    return starts if starts[-1] == last else np.append(starts, last)


def spread(
    length: int, *, window_length: int, hop_length: int, shortest: int | None = None
) -> tuple[NDArray[np.int64], int]:
    """Windows that fill a clip: as many as fit into it, stretched alike until they do.

    No part of a clip is then missed, or counts twice because a last window had to be moved.

    Args:
        length: of the clip.
        window_length: of a window before it is stretched.
        hop_length: from one start to the next, before; at most ``window_length``.
        shortest: a clip shorter than ``window_length`` has one window of its own length, but of no
            less than this; ``window_length`` if None.

    Returns:
        Starts, int64 (n_windows,), from 0 on; and the length of every window, less than twice
        ``window_length``. The last window ends where the clip does, or past the end of a clip
        shorter than ``shortest``.

    Raises:
        ValueError: a length is not positive, or the hop leaves gaps.
    """
    if min(length, window_length, hop_length) < 1 or hop_length > window_length:
        raise ValueError(
            f"lengths must be positive and hops no longer than windows: clip {length}, "
            f"window {window_length}, hop {hop_length}"
        )
    if length <= window_length:
        least = window_length if shortest is None else min(shortest, window_length)
        return np.zeros(1, np.int64), max(length, least)
    n_windows = (length - window_length) // hop_length + 1
    filled = window_length + (n_windows - 1) * hop_length
    stretched = -(-window_length * length // filled)
    starts = np.linspace(0, length - stretched, n_windows).round().astype(np.int64)
    return starts, stretched


def take(
    x: NDArray[Number], starts: Sequence[int] | NDArray[np.integer[Any]], *, window_length: int
) -> NDArray[Number]:
    """Cut windows out of a clip.

    Args:
        x: (..., length); repeated to ``window_length`` where it is shorter.
        starts: (n_windows,), at least one.
        window_length: of each window.

    Returns:
        (n_windows, ..., window_length), a copy.

    Raises:
        ValueError: an empty clip, no windows, or a window that leaves the clip.
    """
    length = x.shape[-1]
    if length == 0:
        raise ValueError("an empty clip has no windows")
    if length < window_length:
        x = x[..., np.arange(window_length) % length]
    if min(starts, default=0) < 0 or max(starts, default=0) + window_length > x.shape[-1]:
        raise ValueError(f"a window of length {window_length} leaves the clip of {length}")
    return np.stack([x[..., start : start + window_length] for start in starts])


def place(length: int, start: float, *, n_frames: int, frame_rate: float) -> slice:
    """Where a window lies in a clip; rounding to frames does not push it over the end.

    Args:
        length: frames of the clip.
        start: of the window, s.
        n_frames: of the window.
        frame_rate: Hz.
    """
    first = min(round(start * frame_rate), max(length - n_frames, 0))
    return slice(first, first + n_frames)
