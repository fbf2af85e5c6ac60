"""How one recording goes over into the next: which beats lie on each other, and at what speed.

Both follow one row of beats, whose tempo glides from that of the first to that of the second; so
each is off its own speed only while it is the softer one. Speed is changed as on a turntable, with
the pitch, by `MOST_STRETCH` at most; tempi that lie further apart change within one beat.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrescope.mix.analysis import Material
from genrescope.mix.order import tempo_ratio

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

MOST_STRETCH = 0.08
"""By which a recording is played faster or slower."""
N_BEATS = 16
"""Of a transition, where both recordings are long enough."""

_SHARE = 0.3  # of a recording that a transition may take
_LOOSE_S = 0.03  # beats that lie off an even row by more are followed one by one


@dataclass(frozen=True, eq=False)
class Transition:
    """A cross-fade.

    Attributes:
        times: s from its beginning, float64 (n_beats + 1,): the common beats.
        before: where these are in the recording that ends, s.
        after: where these are in the recording that begins, s.
        stretch: how much faster the second recording is, as the same pulse: 1.02 by 2 %.
        matched: whether the tempi were near enough to be matched.
    """

    times: Float64
    before: Float64
    after: Float64
    stretch: float
    matched: bool

    @property
    def duration(self) -> float:
        """s"""
        return float(self.times[-1])

    def words(self) -> str:
        """What is done to the tempo."""
        n_beats = len(self.times) - 1
        percent = 100 * (self.stretch - 1)
        if not self.matched:
            return f"changed within a beat: the tempi are {abs(percent):.0f} % apart"
        if abs(percent) < 0.5:
            return f"over {n_beats} beats"
        return f"over {n_beats} beats, {abs(percent):.1f} % {'faster' if percent > 0 else 'slower'}"


def plan(before: Material, after: Material) -> Transition:
    """Lay the last beats of one recording on the first of the next."""
    stretch = tempo_ratio(before.tempo, after.tempo)
    matched = abs(stretch - 1) <= MOST_STRETCH
    # Where one counts twice as fast, every second of its beats is a common one.
    octave = round(math.log2(after.tempo / before.tempo))
    every_before, every_after = max(1, 2**-octave), max(1, 2**octave)
    n_beats = min(
        N_BEATS if matched else 1,
        int(_SHARE * len(before.beats)) // every_before,
        int(_SHARE * len(after.beats)) // every_after,
    )
    n_beats = max(1, n_beats)
    ending = _even(before.beats[-1 - n_beats * every_before :: every_before])
    beginning = _even(after.beats[: n_beats * every_after + 1 : every_after])
    periods = np.diff(ending), np.diff(beginning)
    # From the one's own beats to the other's.
    share = (np.arange(n_beats) + 0.5) / n_beats if matched else np.zeros(n_beats)
    common = periods[0] ** (1 - share) * periods[1] ** share
    times = np.concatenate([[0.0], np.cumsum(common)])
    if not matched:
        beginning = beginning[0] + times  # at its own speed
    return Transition(times, ending, beginning, stretch, matched)


def _even(times: Float64) -> Float64:
    """Beats as an even row, where they nearly are one: what is left is chance."""
    if len(times) < 3:
        return times
    count = np.arange(len(times))
    slope, start = np.polyfit(count, times, 1)
    row: Float64 = start + slope * count
    return row if np.abs(row - times).max() < _LOOSE_S else times


def played(channels: Float32, sr: int, places: Float64, times: Float64) -> Float32:
    """A recording from its first place to its last, so that each place sounds at its time.

    Args:
        channels: float32 (n_channels, n_samples).
        sr: sample rate in Hz.
        places: s in the recording, rising.
        times: s from where this begins, rising from 0.

    Returns:
        float32 (n_channels, n), cubic between samples; silence where the recording is not.
    """
    n = round(float(times[-1]) * sr)
    at = np.interp(np.arange(n) / sr, times, places) * sr
    whole = np.floor(at).astype(np.int64)
    x = (at - whole).astype(np.float32)
    points = [_sample(channels, whole + shift) for shift in (-1, 0, 1, 2)]
    a, b, c, d = points
    # Catmull and Rom.
    out: Float32 = b + 0.5 * x * (
        c - a + x * (2 * a - 5 * b + 4 * c - d + x * (3 * (b - c) + d - a))
    )
    return out.astype(np.float32)


def _sample(channels: Float32, index: NDArray[np.int64]) -> Float32:
    n = channels.shape[1]
    inside = (index >= 0) & (index < n)
    return np.where(inside, channels[:, np.clip(index, 0, n - 1)], np.float32(0))


def cross_fade(ending: Float32, beginning: Float32) -> Float32:
    """One sound into another of the same length, at equal power."""
    n = ending.shape[1]
    angle = ((np.arange(n) + 0.5) / n * (np.pi / 2)).astype(np.float32)
    return np.asarray(np.cos(angle) * ending + np.sin(angle) * beginning, np.float32)
