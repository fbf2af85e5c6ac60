"""The sounds of the layers: overtones for what has a pitch, filtered noise for what has none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_TABLE = 4096  # samples of one period
_MOST_OVERTONES = 120
_RELEASE_S = 0.025
_MOUTHS = (
    ((730.0, 1090.0, 2440.0), (1.0, 0.5, 0.25)),  # a
    ((390.0, 1990.0, 2550.0), (1.0, 0.4, 0.3)),  # e
)
"""Resonances of two vowels: Hz and gain (Peterson and Barney 1952, of men)."""


@dataclass(frozen=True)
class Tone:
    """How a pitched layer sounds.

    Attributes:
        attack_s: time to its full level.
        decay_s: time in which it falls to 1/e.
        tilt: power by which its overtones fall.
        even: share of the even overtones.
        cutoff_hz: what lies above is weaker, by 12 dB an octave.
        voice: share of the resonances of a mouth.
        vibrato: depth in semitones.
        breath: amplitude of noise in it.
    """

    attack_s: float
    decay_s: float
    tilt: float = 1.0
    even: float = 1.0
    cutoff_hz: float = 8_000.0
    voice: float = 0.0
    vibrato: float = 0.0
    breath: float = 0.0


def tone(pitch: float, duration: float, sound: Tone, sr: int) -> Float32:
    """One note, float32 (n_samples,), its release included; about 1 at its loudest.

    Its spectrum is brighter when it begins: two wave tables, one into the other.
    """
    hz = 440.0 * 2 ** ((pitch - 69) / 12)
    n = max(2, round((duration + _RELEASE_S) * sr))
    t = np.arange(n, dtype=np.float32) / np.float32(sr)
    phase = np.float32(hz) * t
    if sound.vibrato > 0.02:
        rate = 5.3
        bend = hz * (2 ** (sound.vibrato / 12) - 1) / (2 * np.pi * rate)
        late = np.minimum(1.0, t / 0.25)  # a held note begins straight
        phase = phase + np.float32(bend) * late * np.sin(np.float32(2 * np.pi * rate) * t)
    # Whole periods are taken off first: float32 keeps the rest exact enough.
    phase = phase - np.floor(phase)
    index = (phase * _TABLE).astype(np.int32) & (_TABLE - 1)
    bright, dark = _tables(hz, sound, sr)
    fall = np.exp(t / np.float32(-sound.decay_s))
    out = np.take(dark, index)
    out += (np.take(bright, index) - out) * fall
    if sound.breath > 0.012:
        out += np.float32(sound.breath) * noise(n, 1)
    note: Float32 = out * fall * _edges(n, sound.attack_s, sr)
    return note


def _edges(n: int, attack_s: float, sr: int) -> Float32:
    """A gain that rises in the attack, and falls in the release."""
    gain = np.ones(n, np.float32)
    rise = min(n, max(1, round(attack_s * sr)))
    gain[:rise] = (np.arange(rise) + 1) / np.float32(rise)
    end = min(n, max(1, round(_RELEASE_S * sr)))
    gain[-end:] *= np.linspace(1, 0, end, dtype=np.float32)
    return gain


def _tables(hz: float, sound: Tone, sr: int) -> tuple[Float32, Float32]:
    """One period as the note begins, and as it ends."""
    n_overtones = int(np.clip(0.45 * sr / hz, 1, _MOST_OVERTONES))
    k = np.arange(1, n_overtones + 1)
    gains = k ** -float(sound.tilt)
    gains[1::2] *= sound.even
    both = []
    for cutoff, (peaks, heights) in zip(
        (sound.cutoff_hz * 1.6, sound.cutoff_hz * 0.6), _MOUTHS, strict=True
    ):
        shaped = gains / (1 + (k * hz / cutoff) ** 2)
        if sound.voice > 0.02:
            mouth = np.full(n_overtones, 0.03)
            for peak, height in zip(peaks, heights, strict=True):
                mouth += height / (1 + ((k * hz - peak) / (0.09 * peak)) ** 2)
            shaped = shaped * ((1 - sound.voice) + sound.voice * mouth)
        spectrum = np.zeros(_TABLE // 2 + 1, np.complex128)
        spectrum[1 : n_overtones + 1] = -0.5j * shaped * _TABLE
        period = np.fft.irfft(spectrum)
        both.append((period / np.abs(period).max()).astype(np.float32))
    return both[0], both[1]


_NOISE = np.random.default_rng(20261130).standard_normal(1 << 20).astype(np.float32)


def noise(n: int, which: int) -> Float32:
    """White noise, float32 (n,), standard deviation 1: always the same of the same number."""
    start = (which * 7_919) % (1 << 17)
    there = _NOISE[start : start + n]
    return there if len(there) == n else np.resize(there, n)


def kick(hz: float, decay_s: float, click: float, sr: int) -> Float32:
    """A bass drum: a sine whose pitch falls, and a click of an amplitude."""
    t = np.arange(round(min(1.0, 5 * decay_s) * sr)) / sr
    phase = 2 * np.pi * hz * (t + 2.5 * 0.025 * (1 - np.exp(-t / 0.025)))
    body = np.sin(phase) * np.exp(-t / decay_s)
    body += click * np.exp(-t / 0.004) * noise(len(t), 2)
    return body.astype(np.float32)


def snare(hz: float, decay_s: float, wires: float, sr: int) -> Float32:
    """A snare drum: two resonances of its skin, and noise of an amplitude."""
    t = np.arange(round(min(1.0, 5 * decay_s) * sr)) / sr
    skin = np.sin(2 * np.pi * hz * t) + 0.6 * np.sin(2 * np.pi * 1.83 * hz * t)
    hiss = _high_passed(noise(len(t), 3), 900.0, sr)
    out = 0.6 * skin * np.exp(-t / (0.6 * decay_s)) + wires * 0.5 * hiss * np.exp(-t / decay_s)
    return out.astype(np.float32)


def cymbal(cutoff_hz: float, decay_s: float, which: int, sr: int) -> Float32:
    """A hi-hat or crash: noise above a frequency."""
    t = np.arange(round(min(1.5, 5 * decay_s) * sr)) / sr
    hiss = _high_passed(noise(len(t), which), cutoff_hz, sr)
    return (0.4 * hiss * np.exp(-t / decay_s)).astype(np.float32)


def hand_drum(hz: float, sr: int) -> Float32:
    """A conga or wood: a short resonance."""
    decay_s = 0.09 * (300.0 / hz) ** 0.5
    t = np.arange(round(5 * decay_s * sr)) / sr
    phase = 2 * np.pi * hz * (t + 0.3 * 0.02 * (1 - np.exp(-t / 0.02)))
    hit: Float64 = np.sin(phase) * np.exp(-t / decay_s)
    return hit.astype(np.float32)


def _high_passed(x: Float32, cutoff_hz: float, sr: int) -> Float64:
    """Without what lies below a frequency, softly."""
    spectrum = np.fft.rfft(x)
    hz = np.fft.rfftfreq(len(x), 1 / sr)
    y: Float64 = np.fft.irfft(spectrum / (1 + (cutoff_hz / np.maximum(hz, 1)) ** 4), len(x))
    return y
