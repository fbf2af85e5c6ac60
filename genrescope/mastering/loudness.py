"""How loud sound is to a listener, and making it so without clipping.

Loudness is ITU-R BS.1770-4 as pyloudnorm (MIT licence) measures it. Peaks are true peaks: the
largest value of the sound between the samples too, by fourfold interpolation as in BS.1770.
"""

from __future__ import annotations

from functools import lru_cache

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


def loudness(channels: Float32, sr: int) -> float:
    """Integrated loudness.

    Args:
        channels: float32 (n_channels, n_samples), at most 5 channels.
        sr: sample rate in Hz.

    Returns:
        LUFS, at least `SILENT_LUFS`. Sound shorter than the standard's 0.4 s is measured repeated.
    """
    import pyloudnorm

    shortest = int(0.4 * sr) + 1
    if channels.shape[1] < shortest:
        channels = channels[:, np.arange(shortest) % channels.shape[1]]
    lufs = float(pyloudnorm.Meter(sr).integrated_loudness(channels.T))
    return max(lufs, SILENT_LUFS) if np.isfinite(lufs) else SILENT_LUFS


def master(channels: Float32, sr: int, *, lufs: float, peak_db: float) -> Float32:
    """Bring sound to a loudness, and hold its peaks under a limit.

    The gain is at most 30 dB, and silence is left as it is; a sound that is all peaks may therefore
    stay below the loudness asked for.

    Args:
        channels: float32 (n_channels, n_samples).
        sr: sample rate in Hz.
        lufs: wanted loudness.
        peak_db: highest true peak, dB re full scale.

    Returns:
        float32 (n_channels, n_samples).
    """
    before = loudness(channels, sr)
    if before <= SILENT_LUFS:
        return channels
    gain_db = min(lufs - before, _MAX_GAIN_DB)
    target = before + gain_db
    envelope = peak_envelope(channels)
    highest_db = gain_db + _MAX_PUSH_DB
    for _ in range(4):
        louder = limit(channels, envelope, sr, gain_db=gain_db, peak_db=peak_db)
        missing = target - loudness(louder, sr)
        if missing < 0.2 or gain_db >= highest_db:
            break
        # The limiter takes part of each dB that is added, so add more than is missing.
        gain_db = min(gain_db + 1.3 * missing, highest_db)
    return louder


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
    n_samples = channels.shape[1]
    envelope = np.zeros(-(-n_samples // _CONTROL) * _CONTROL, dtype=np.float32)
    for channel in channels:
        inside = envelope[:n_samples]
        np.maximum(inside, np.abs(channel), out=inside)
        for taps in _phases():
            # Tap 6 of 12 lies on the sample before, tap 5 on the sample after the point.
            between = np.convolve(channel, taps)[_PHASE_TAPS // 2 - 1 :][:n_samples]
            np.maximum(inside, np.abs(between), out=inside)
    return np.asarray(envelope.reshape(-1, _CONTROL).max(axis=1))


@lru_cache(maxsize=1)
def _phases() -> list[Float32]:
    """Interpolating filters for the points 1/4, 1/2 and 3/4 between two samples."""
    places = np.arange(_PHASE_TAPS) - (_PHASE_TAPS // 2 - 1)
    filters = []
    for offset in (0.25, 0.5, 0.75):
        distance = offset + places[::-1] - 1.0
        taps = (
            np.sinc(distance)
            * np.kaiser(2 * 512 + 1, 5.0)[
                np.round(512 + distance * 512 / (_PHASE_TAPS / 2)).astype(int)
            ]
        )
        filters.append((taps / taps.sum()).astype(np.float32))
    return filters


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
    centres = np.arange(len(gain)) * _CONTROL + (_CONTROL - 1) / 2
    curve = np.interp(np.arange(channels.shape[1]), centres, gain).astype(np.float32)
    ceiling = np.float32(10.0 ** (peak_db / 20.0))
    limited: Float32 = np.clip(channels * curve, -ceiling, ceiling)
    return limited
