"""Sounds that are no music, made from nothing: noise, tones, hum, clicks and speech.

Each function returns float32 (n_samples,) at a root mean square of 0.1, drawn from the generator
it is given. The speech says no words; it has what tells speech from music: syllables at 3 to 6 Hz,
a voice that glides, formants, fricatives and pauses (source and filter: Fant 1960, "Acoustic
Theory of Speech Production"; formants after Peterson and Barney 1952).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage, signal

Array = NDArray[Any]
Samples = NDArray[np.float32]

RMS = 0.1

_VOWELS_HZ = np.array(
    [
        (270, 2290, 3010),
        (390, 1990, 2550),
        (530, 1840, 2480),
        (660, 1720, 2410),
        (730, 1090, 2440),
        (570, 840, 2410),
        (440, 1020, 2240),
        (300, 870, 2240),
        (640, 1190, 2390),
        (490, 1350, 1690),
    ],
    float,
)
_HIGH_FORMANTS_HZ = (3500.0, 4500.0)
_BANDWIDTHS_HZ = (70.0, 100.0, 140.0, 200.0, 250.0)
_FRICATIVES_HZ = ((4000, 9000), (2000, 5000), (1200, 8000), (600, 6000))  # s, sh, f, h


def coloured_noise(
    n_samples: int, sr: int, *, slope: float, rng: np.random.Generator, flat_hz: float = 20.0
) -> Samples:
    """Gaussian noise whose power falls as frequency to the power ``slope``.

    0 is white, 1 pink, 2 brown; below ``flat_hz`` it is flat.
    """
    length = fft.next_fast_len(n_samples, real=True)
    spectrum = np.fft.rfft(rng.standard_normal(length))
    hz = np.maximum(np.fft.rfftfreq(length, 1 / sr), flat_hz)
    return levelled(np.fft.irfft(spectrum * hz ** (-slope / 2), length)[:n_samples])


def tones(
    n_samples: int, sr: int, *, hz: Array, rng: np.random.Generator, decay: float = 0.0
) -> Samples:
    """Steady sines at the frequencies ``hz``, each ``decay`` times as loud as its place in the
    list says (1 / (1 + i) ** decay), with phases by chance."""
    t = np.arange(n_samples) / sr
    out = np.zeros(n_samples)
    for i, f in enumerate(np.atleast_1d(hz)):
        if f < sr / 2:
            out += np.sin(2 * np.pi * (f * t + rng.random())) / (1 + i) ** decay
    return levelled(out)


def hum(n_samples: int, sr: int, *, mains_hz: float, rng: np.random.Generator) -> Samples:
    """Mains hum: the mains frequency and its harmonics, of random strengths, over faint hiss."""
    harmonics = mains_hz * np.arange(1, 1 + int(rng.integers(4, 30)))
    t = np.arange(n_samples) / sr
    fall = rng.uniform(0.3, 1.5)
    out = np.zeros(n_samples)
    for i, f in enumerate(harmonics[harmonics < sr / 2]):
        gain = rng.uniform(0.2, 1.0) * (1 + i) ** -fall
        out += gain * np.sin(2 * np.pi * (f * t + rng.random()))
    hiss = coloured_noise(n_samples, sr, slope=1.0, rng=rng)
    return levelled(levelled(out) + 10 ** (-rng.uniform(30, 70) / 20) * hiss)


def clicks(n_samples: int, sr: int, *, rate_hz: float, rng: np.random.Generator) -> Samples:
    """Clicks, evenly spaced or by chance, each a damped burst of a few milliseconds."""
    even = rng.random() < 0.5
    n_clicks = max(1, round(rate_hz * n_samples / sr))
    at = np.arange(n_clicks) * sr / rate_hz if even else rng.uniform(0, n_samples, n_clicks)
    train = np.zeros(n_samples)
    train[at[at < n_samples].astype(int)] = 1.0 if even else rng.uniform(0.3, 1)
    length = max(2, round(sr * rng.uniform(0.0002, 0.006)))
    burst = rng.standard_normal(length) * np.exp(-4 * np.arange(length) / length)
    hiss = coloured_noise(n_samples, sr, slope=1.0, rng=rng)
    return levelled(
        levelled(signal.fftconvolve(train, burst)[:n_samples])
        + 10 ** (-rng.uniform(30, 80) / 20) * hiss
    )


def speech(n_samples: int, sr: int, *, rng: np.random.Generator) -> Samples:
    """One voice that talks without words; one in seven whispers."""
    rate = 200  # control points per second
    n_points = 2 + n_samples * rate // sr
    voice, breath, formants, edges = _phones(n_points, rate, rng)
    pitch = rng.uniform(85, 240) * np.exp(
        0.15 * _wander(n_points, rate / 2, rng) + 0.06 * _wander(n_points, rate / 8, rng)
    )
    at = np.arange(n_samples) * rate / sr
    phase = np.cumsum(np.interp(at, np.arange(n_points), pitch) / sr)
    source = np.diff(np.floor(phase), prepend=0.0)
    # A glottis rounds its pulses, the lips sharpen what leaves them: -6 dB an octave in all.
    source = signal.lfilter([1.0, -1.0], [1.0, -1.96, 0.9605], source)
    hiss = rng.standard_normal(n_samples)
    if rng.random() < 1 / 7:
        source = signal.lfilter([1.0], [1.0, -0.7], rng.standard_normal(n_samples))
        breath = breath * source.std()
    out = _filtered(source, sr, rate, voice, lambda hz: _resonances(hz, formants))
    out = out + _filtered(hiss, sr, rate, breath, lambda hz: _bands(hz, edges))
    return levelled(out)


def babble(n_samples: int, sr: int, *, voices: int = 6, rng: np.random.Generator) -> Samples:
    """Several voices at once, none far louder than the others."""
    gains = 10 ** (rng.uniform(-4, 4, voices) / 20)
    return levelled(sum(g * speech(n_samples, sr, rng=rng) for g in gains))


def melody(n_samples: int, sr: int, *, rng: np.random.Generator) -> Samples:
    """One to three parts of held notes on a scale, plucked or blown: music at its barest."""
    out, t = np.zeros(n_samples), np.arange(n_samples) / sr
    beat, root = rng.uniform(0.12, 0.6), rng.uniform(40, 70)
    for _ in range(int(rng.integers(1, 4))):
        blown, n_partials = rng.random() < 0.6, int(rng.integers(2, 16))
        fall, vibrato = rng.uniform(0.5, 1.8), rng.uniform(0, 0.006)
        at, octave = 0.0, 12 * int(rng.integers(0, 3))
        while at < t[-1]:
            length = beat * int(rng.integers(1, 5))
            now = slice(*np.searchsorted(t, (at, at + length)))
            s = t[now] - at
            hz = 440 * 2 ** ((root + octave + rng.choice((0, 2, 4, 5, 7, 9, 11)) - 69) / 12)
            turns = hz * (s + vibrato * np.sin(2 * np.pi * 5.5 * s) / (2 * np.pi * 5.5))
            note = sum(
                np.sin(2 * np.pi * k * turns) * k**-fall
                for k in range(1, 1 + n_partials)
                if k * hz < sr / 2
            )
            end = np.clip((length - s) / 0.03, 0, 1)
            shape = np.clip(s / 0.04, 0, 1) * end if blown else np.exp(-s * 4 / length) * end
            out[now] += note * shape
            at += length + beat * (rng.random() < 0.2)
    return levelled(out)


def room_response(sr: int, *, rt60_s: float, direct_db: float, rng: np.random.Generator) -> Array:
    """An impulse response: the direct sound, six early reflections, and a tail of noise.

    The tail falls by 60 dB in ``rt60_s`` (Moorer 1979, "About this reverberation business").

    Args:
        direct_db: energy of the direct sound over that of all that follows.
    """
    length = max(2, round(sr * rt60_s))
    at = np.arange(length)
    fall = 10.0 ** (-3 * at / length)
    tail = rng.standard_normal(length) * fall
    tail[: round(0.002 * sr)] = 0
    tail /= np.sqrt(np.sum(tail**2))
    early = np.zeros(length)
    places = (rng.uniform(0.002, min(0.03, rt60_s), 6) * sr).astype(int)
    early[np.minimum(places, length - 1)] = rng.choice((-1.0, 1.0), 6)
    early *= fall / np.sqrt(6)
    late = early + tail
    late *= 10 ** (-direct_db / 20) / np.sqrt(np.sum(late**2))
    late[0] += 1.0
    return late


def in_room(
    x: Any, sr: int, *, rt60_s: float, direct_db: float, rng: np.random.Generator
) -> Samples:
    """A sound as it arrives across a room, as long and as strong as it was."""
    response = room_response(sr, rt60_s=rt60_s, direct_db=direct_db, rng=rng)
    wet = signal.fftconvolve(np.asarray(x, float), response)[: len(x)]
    return levelled(wet, float(np.sqrt(np.mean(np.square(x, dtype=float)))))


def levelled(x: Any, rms: float = RMS) -> Samples:
    """A sound at the given root mean square; silence stays silence."""
    x = np.asarray(x, float)
    out: Samples = (x * (rms / max(float(np.sqrt(np.mean(x**2))), 1e-12))).astype(np.float32)
    return out


def _wander(n_points: int, width: float, rng: np.random.Generator) -> Array:
    """A smooth random curve of unit deviation that turns about each ``width`` points."""
    n_knots = 3 + int(n_points / width)
    knots = np.arange(n_knots) * width
    return np.interp(np.arange(n_points), knots, rng.standard_normal(n_knots))


def _phones(
    n_points: int, rate: int, rng: np.random.Generator
) -> tuple[Array, Array, Array, Array]:
    """The course of an utterance at control points.

    Returns:
        Amplitude of the voice and of the breath (n_points,), formants (n_points, 5) in Hz, and
        the edges of the fricatives' band (n_points, 2) in Hz.
    """
    voice, breath = np.zeros(n_points), np.zeros(n_points)
    vowel, edges = np.full((n_points, 3), 500.0), np.full((n_points, 2), 1000.0)
    tract, tempo = rng.uniform(0.9, 1.25), rng.uniform(0.8, 1.3)

    def span(at: int, low: float, high: float) -> slice:
        return slice(at, at + max(2, round(rng.uniform(low, high) * rate / tempo)))

    at, phrase_end = 0, rate
    while at < n_points:
        if at >= phrase_end:
            at = span(at, 0.15, 0.7).stop  # a breath
            phrase_end = at + int(rng.uniform(0.8, 3.0) * rate)
        if (kind := rng.random()) < 0.45:
            part = span(at, 0.05, 0.13)
            breath[part] = rng.uniform(0.05, 0.4)
            edges[part] = _FRICATIVES_HZ[rng.integers(len(_FRICATIVES_HZ))]
            at = part.stop
        elif kind < 0.75:
            at = span(at, 0.03, 0.09).stop  # a stop closes, then bursts
            breath[at : at + 3] = rng.uniform(0.2, 0.5)
            edges[at : at + 3] = (500, 6000)
            at += 2
        part = span(at, 0.07, 0.2)
        voice[part] = rng.uniform(0.5, 1.0)
        vowel[at:] = _VOWELS_HZ[rng.integers(len(_VOWELS_HZ))]
        at = part.stop
    formants = np.column_stack([vowel, np.tile(_HIGH_FORMANTS_HZ, (n_points, 1))]) * tract
    return _smooth(voice, 5), _smooth(breath, 3), _smooth(formants, 9), edges


def _smooth(x: Array, width: int) -> Array:
    kernel = np.hanning(width + 2)[1:-1]
    return np.asarray(ndimage.convolve1d(x, kernel / kernel.sum(), axis=0))


def _resonances(hz: Array, formants: Array) -> Array:
    """Magnitude (n_freq, n_points) of resonances in cascade, without the mean fall of a tract."""
    out = np.ones((len(hz), len(formants)))
    for centre, width in zip(formants.T, _BANDWIDTHS_HZ, strict=True):
        top = centre**2 / np.sqrt((hz[:, None] ** 2 - centre**2) ** 2 + (hz[:, None] * width) ** 2)
        out *= top
    return out


def _bands(hz: Array, edges: Array) -> Array:
    low, high = edges.T
    rise = 1 / (1 + (low / np.maximum(hz[:, None], 1)) ** 4)
    return np.asarray(rise / (1 + (hz[:, None] / high) ** 6))


def _filtered(source: Array, sr: int, rate: int, gain: Array, response: Any) -> Array:
    """A sound through a filter and a gain that change with time, by its short-time spectrum."""
    n_fft = 512 if sr < 32_000 else 1024
    hz, times, spectrum = signal.stft(source, sr, nperseg=n_fft, noverlap=3 * n_fft // 4)
    points = np.minimum((times * rate).astype(int), len(gain) - 1)
    shaped = spectrum * response(hz)[:, points] * gain[points]
    _, out = signal.istft(shaped, sr, nperseg=n_fft, noverlap=3 * n_fft // 4)
    return np.resize(out, len(source)) if len(out) < len(source) else out[: len(source)]
