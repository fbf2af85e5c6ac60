"""When the beats of a recording are: onset strength, its autocorrelation, dynamic programming.

After Ellis 2007, "Beat Tracking by Dynamic Programming". Frames of 6 ms, so that the beats of two
recordings can be laid on each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrescope.features.config import FeatureConfig
from genrescope.features.stft import as_mono, squared_spectra

Float64 = NDArray[np.float64]

SLOWEST_BPM, FASTEST_BPM = 50.0, 220.0
USUAL_BPM = 115.0
"""Where people tap most often, if nothing better is known."""

_N_FFT_S, _HOP_S = 0.046, 0.0058
_N_BANDS = 32
_TIGHTNESS = 400.0  # how dear a beat is that comes early or late
_SPREAD_OCTAVES = 0.9  # of the usual tempo
_TREND_S = 0.4  # what changes slower is no onset


@dataclass(frozen=True, eq=False)
class Beats:
    """The beats of a recording.

    Attributes:
        times: s, float64 (n_beats,), rising.
        tempo: beats a minute, their median; 0 where there are fewer than two.
    """

    times: Float64
    tempo: float


def beats(samples: NDArray[np.float32], sr: int, *, near_bpm: float | None = None) -> Beats:
    """Find the beats.

    Args:
        samples: float32 (n_samples,).
        sr: sample rate in Hz, at least 8 kHz.
        near_bpm: a tempo that is known; one of about that is then preferred to its double or half.

    Returns:
        beats; none where the sound is silent or shorter than two beats. Music without a beat gets
        beats as well, where they fit best.
    """
    strength, rate = onset_strength(samples, sr)
    if len(strength) < 2 * rate * 60 / FASTEST_BPM or not strength.any():
        return Beats(np.zeros(0), 0.0)
    period = _period(strength, rate, near_bpm)
    times = _tracked(strength, period) / rate
    if len(times) < 2:
        return Beats(times, 0.0)
    return Beats(times, float(60 / np.median(np.diff(times))))


def onset_strength(samples: NDArray[np.float32], sr: int) -> tuple[Float64, float]:
    """How much begins in each frame, float64 (n_frames,), and the frames of a second."""
    hop = max(1, round(_HOP_S * sr))
    n_fft = 2 ** round(np.log2(_N_FFT_S * sr))
    config = FeatureConfig(sr=sr, n_fft=n_fft, hop_length=hop)
    edges = np.unique(np.geomspace(1, n_fft // 2 + 1, _N_BANDS + 1).astype(np.int64))
    bands = [
        np.add.reduceat(squares[:, ::2] + squares[:, 1::2], edges[:-1], axis=1)
        for squares in squared_spectra([as_mono(samples)], config)
    ]
    power = np.concatenate(bands).astype(np.float64)
    level = np.log10(1 + power / max(1e-12, 1e-4 * float(power.max())))
    rises = np.maximum(np.diff(level, axis=0, prepend=level[:1]), 0).mean(axis=1)
    rate = sr / hop
    # The rise of a sharp onset is spread over the frames that hold it: its middle is the beat.
    smooth = np.hanning(2 * round(0.012 * rate) + 3)
    rises = np.convolve(rises, smooth / smooth.sum(), mode="same")
    width = 2 * round(_TREND_S * rate / 2) + 1
    trend = np.convolve(np.pad(rises, width // 2, mode="edge"), np.ones(width) / width, "valid")
    flat = np.maximum(rises - trend, 0)
    return flat / max(1e-12, float(flat.std())), rate


def _period(strength: Float64, rate: float, near_bpm: float | None) -> float:
    """Frames of a beat."""
    n_fft = 1 << int(2 * len(strength) - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(strength - strength.mean(), n_fft)) ** 2
    lags = np.arange(int(rate * 60 / FASTEST_BPM), int(rate * 60 / SLOWEST_BPM) + 2)
    lags = lags[lags < len(strength) - 1]
    alike = np.fft.irfft(spectrum, n_fft)[: lags[-1] + 2] / (
        len(strength) - np.arange(lags[-1] + 2)
    )
    octaves = np.log2(rate * 60 / lags / (near_bpm or USUAL_BPM))
    spread = _SPREAD_OCTAVES if near_bpm is None else 0.3
    weighted = np.maximum(alike[lags], 0) * np.exp(-0.5 * (octaves / spread) ** 2)
    best = int(lags[int(weighted.argmax())])
    return _vertex(alike, best)


def _tracked(strength: Float64, period: float) -> Float64:
    """Frames of the beats: strong onsets at about the distance of a beat."""
    n = len(strength)
    gaps = np.arange(round(period / 2), round(period * 2) + 1)
    cost = _TIGHTNESS * np.log(gaps / period) ** 2
    total, before = strength.copy(), np.full(n, -1)
    for frame in range(int(gaps[0]), n):
        reach = gaps[: np.searchsorted(gaps, frame, side="right")]
        scores = total[frame - reach] - cost[: len(reach)]
        best = int(scores.argmax())
        if scores[best] > 0:
            total[frame] += scores[best]
            before[frame] = frame - reach[best]
    last = max(0, n - round(period))
    frame = last + int(total[last:].argmax())
    found = []
    while frame >= 0:
        found.append(_peak(strength, frame))
        frame = int(before[frame])
    times = np.array(found[::-1])
    # What comes before the music and after it has no onsets, and no beats.
    strong = np.flatnonzero(strength[np.rint(times).astype(np.int64)] > 0.3)
    return times[strong[0] : strong[-1] + 1] if len(strong) else np.zeros(0)


def _peak(strength: Float64, frame: int) -> float:
    """The highest point around a frame, between frames too."""
    low = max(1, frame - 2)
    around = strength[low : frame + 3]
    place = low + int(around.argmax()) if len(around) else frame
    if not 0 < place < len(strength) - 1:
        return float(frame)
    return _vertex(strength, place)


def _vertex(values: Float64, peak: int) -> float:
    """Where the parabola through a peak and its neighbours is highest."""
    before, there, after = values[peak - 1 : peak + 2]
    bend = before - 2 * there + after
    return peak + (float(0.5 * (before - after) / bend) if bend < 0 else 0.0)
