"""How loud sound is to a listener, and making it so without clipping.

Loudness is ITU-R BS.1770-4. Peaks are true peaks: the
largest value of the sound between the samples too, by fourfold interpolation as in BS.1770.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

SILENT_LUFS = -70.0  # the standard's absolute gate: what is below counts as silence
_MAX_GAIN_DB = 30.0  # a quieter recording is mostly the noise of the room
_MAX_PUSH_DB = 4.0  # extra gain that may go against the limiter to reach the target
_PEAK_MARGIN_DB = 0.1  # by which 12 taps may miss a peak between samples
_CONTROL = 16  # samples to one value of the limiter's gain
_LOOK_AHEAD_S = 0.003
_RELEASE_DB_PER_S = 60.0
_PHASE_TAPS = 12
_CHUNK = 4096  # stretches at a time, so that their points stay in the processor's cache
_TENTHS = 5  # of a second at a time, likewise
_SIDES = (1.0, 1.0, 1.0, 1.41, 1.41)  # weights of the channels


@dataclass(frozen=True, eq=False)
class Mastered:
    """Sound at its loudness: float32 (n_channels, n_samples), and that loudness in LUFS."""

    channels: Float32
    lufs: float


def loudness(channels: Float32, sr: int) -> float:
    """Integrated loudness: of the blocks of 0.4 s that pass the standard's two gates.

    Args:
        channels: float32 (n_channels, n_samples), at most 5 channels: left, right, centre and
            the surrounds.
        sr: sample rate in Hz.

    Returns:
        LUFS, at least `SILENT_LUFS`. Sound shorter than the standard's 0.4 s is measured repeated.
    """
    shortest = int(0.4 * sr) + 1
    if channels.shape[1] < shortest:
        channels = channels[:, np.arange(shortest) % channels.shape[1]]
    tenths = _power_of_tenths(channels, sr)
    means = np.lib.stride_tricks.sliding_window_view(tenths, 4, axis=1).sum(axis=2) / (0.4 * sr)
    power = np.asarray(_SIDES[: len(means)]) @ means
    audible = power[_lufs(power) > SILENT_LUFS]
    if not len(audible):
        return SILENT_LUFS
    loud = audible[_lufs(audible) > _lufs(audible.mean()) - 10.0]
    return max(float(_lufs(loud.mean())), SILENT_LUFS)


def _power_of_tenths(channels: Float32, sr: int) -> NDArray[np.float64]:
    """Sum of the weighted squares of each whole tenth of a second, (n_channels, n_tenths)."""
    from scipy.signal import sosfilt

    sections = _k_weighting(sr)
    state = np.zeros((len(sections), len(channels), 2))
    edges = np.round(np.arange(0, channels.shape[1] + 1, 0.1 * sr)).astype(np.intp)
    sums = []
    # A stretch at a time, which stays in the processor's cache.
    for first in range(0, len(edges) - 1, _TENTHS):
        inside = edges[first : first + _TENTHS + 1]
        stretch = channels[:, inside[0] : inside[-1]].astype(np.float64)
        weighted, state = sosfilt(sections, stretch, zi=state)
        np.square(weighted, out=weighted)
        sums.append(np.add.reduceat(weighted, inside[:-1] - inside[0], axis=1))
    return np.concatenate(sums, axis=1)


def _lufs(power: Any) -> Any:
    return -0.691 + 10.0 * np.log10(np.maximum(power, 1e-12))


@lru_cache(maxsize=16)
def _k_weighting(sr: int) -> NDArray[np.float64]:
    """Second-order sections of K-weighting: the effect of a listener's head, and less bass.

    Bristow-Johnson's shelf of 4 dB at 1.5 kHz and high-pass at 38 Hz, which are the standard's at
    48 kHz, at any rate.
    """
    amplitude = 10 ** (4.0 / 40)
    w = 2 * np.pi * 1_500.0 / sr
    cos, alpha = np.cos(w), np.sin(w) / np.sqrt(2)
    up, down, root = amplitude + 1, amplitude - 1, 2 * np.sqrt(amplitude) * alpha
    shelf = [
        *(amplitude * (up + down * cos + root), -2 * amplitude * (down + up * cos)),
        *(amplitude * (up + down * cos - root), up - down * cos + root),
        *(2 * (down - up * cos), up - down * cos - root),
    ]
    w = 2 * np.pi * 38.0 / sr
    cos, alpha = np.cos(w), np.sin(w)
    pass_ = [(1 + cos) / 2, -(1 + cos), (1 + cos) / 2, 1 + alpha, -2 * cos, 1 - alpha]
    sections = np.array([shelf, pass_])
    normalised: NDArray[np.float64] = sections / sections[:, 3:4]
    return normalised


def master(channels: Float32, sr: int, *, lufs: float, peak_db: float) -> Mastered:
    """Bring sound to a loudness, and hold its peaks under a limit.

    The gain is at most 30 dB, and silence is left as it is; a sound that is all peaks may therefore
    stay below the loudness asked for.

    Args:
        channels: float32 (n_channels, n_samples).
        sr: sample rate in Hz.
        lufs: wanted loudness.
        peak_db: highest true peak, dB re full scale.
    """
    before = loudness(channels, sr)
    if before <= SILENT_LUFS:
        return Mastered(channels, before)
    gain_db = min(lufs - before, _MAX_GAIN_DB)
    target = before + gain_db
    envelope = peak_envelope(channels)
    highest_db = gain_db + _MAX_PUSH_DB
    for _ in range(4):
        louder = limit(channels, envelope, sr, gain_db=gain_db, peak_db=peak_db)
        reached = loudness(louder, sr)
        missing = target - reached
        if missing < 0.2 or gain_db >= highest_db:
            break
        # The limiter takes part of each dB that is added, so add more than is missing.
        gain_db = min(gain_db + 1.3 * missing, highest_db)
    return Mastered(louder, reached)


def true_peak_db(channels: Float32) -> float:
    """True peak of float32 (n_channels, n_samples), dB re full scale; at least -120."""
    return float(20.0 * np.log10(max(1e-6, float(peak_envelope(channels).max()))))


def peak_envelope(channels: Float32) -> Float32:
    """Largest magnitude in each stretch of `_CONTROL` samples, between the samples too.

    Args:
        channels: float32 (n_channels, n_samples), at least one sample.

    Returns:
        float32 (n_stretches,), over all channels; the last stretch may be short.
    """
    before, behind = _PHASE_TAPS // 2, _PHASE_TAPS // 2 - 1
    n_stretches = -(-channels.shape[1] // _CONTROL)
    missing = n_stretches * _CONTROL - channels.shape[1]
    padded = np.pad(channels, ((0, 0), (before, behind + missing)))
    seen = np.lib.stride_tricks.sliding_window_view(padded, before + _CONTROL + behind, axis=1)
    envelope = np.zeros(n_stretches, np.float32)
    for windows in seen[:, ::_CONTROL]:
        for start in range(0, n_stretches, _CHUNK):
            points = _interpolator() @ windows[start : start + _CHUNK].T
            inside = envelope[start : start + _CHUNK]
            np.maximum(inside, points.max(axis=0), out=inside)
            np.maximum(inside, -points.min(axis=0), out=inside)
    return envelope


@lru_cache(maxsize=1)
def _interpolator() -> Float32:
    """The samples of a stretch and the points 1/4, 1/2 and 3/4 between them and the next.

    Returns:
        float32 (4 * _CONTROL, n_seen), to be multiplied by the stretch with what is next to it.
    """
    places = np.arange(_PHASE_TAPS) - (_PHASE_TAPS // 2 - 1)
    rows = np.zeros((4, _CONTROL, _PHASE_TAPS - 1 + _CONTROL))
    for phase, offset in enumerate((0.25, 0.5, 0.75)):
        distance = offset + places[::-1] - 1.0
        kaiser = np.kaiser(2 * 512 + 1, 5.0)
        taps = (
            np.sinc(distance)
            * kaiser[np.round(512 + distance * 512 / (_PHASE_TAPS / 2)).astype(int)]
        )
        for i in range(_CONTROL):
            # Tap 6 of 12 lies on the sample before, tap 5 on the sample after the point.
            rows[phase, i, i : i + _PHASE_TAPS] = (taps / taps.sum())[::-1]
    rows[3, np.arange(_CONTROL), np.arange(_CONTROL) + _PHASE_TAPS // 2] = 1.0
    return rows.reshape(-1, rows.shape[2]).astype(np.float32)


def limit(
    channels: Float32, envelope: Float32, sr: int, *, gain_db: float, peak_db: float
) -> Float32:
    """Amplify, and turn down for a moment where a peak would pass the limit.

    The gain falls before the peak comes (3 ms of look-ahead) and returns at 60 dB a second, the
    same for all channels.

    Args:
        channels: float32 (n_channels, n_samples).
        envelope: their `peak_envelope`.
        sr: sample rate in Hz.
        gain_db: amplification.
        peak_db: highest true peak afterwards, dB re full scale.

    Returns:
        float32 (n_channels, n_samples).
    """
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    level_db = 20.0 * np.log10(np.maximum(envelope, 1e-9)) + gain_db
    over = np.maximum(0.0, level_db - (peak_db - _PEAK_MARGIN_DB))
    # Each reduction is held for as long as the average below reaches, and one stretch more on
    # either side for the line between two values: nowhere is the average less than what is needed.
    reach = max(1, round(_LOOK_AHEAD_S * sr / _CONTROL / 2))
    held = maximum_filter1d(over, 2 * (reach + 1) + 1, mode="nearest")
    fall = np.arange(len(held)) * (_RELEASE_DB_PER_S * _CONTROL / sr)
    released = np.maximum.accumulate(held + fall) - fall
    gain = 10.0 ** ((gain_db - uniform_filter1d(released, 2 * reach + 1, mode="nearest")) / 20.0)
    ceiling = np.float32(10.0 ** (peak_db / 20.0))
    limited = channels * _drawn_out(gain.astype(np.float32))[: channels.shape[1]]
    return np.clip(limited, -ceiling, ceiling, out=limited)


def _drawn_out(gain: Float32) -> Float32:
    """A value a stretch, from the middle of one to the middle of the next in straight lines."""
    half = _CONTROL // 2
    steps = np.diff(gain, append=gain[-1:])[:, np.newaxis]
    along = ((np.arange(_CONTROL) + 0.5) / _CONTROL).astype(np.float32)
    lines = (gain[:, np.newaxis] + steps * along).ravel()
    return np.concatenate([np.full(half, gain[0], np.float32), lines[:-half]])
