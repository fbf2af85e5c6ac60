"""Composes and plays the three samples that the page and the README offer to try.

Every note is written here and every sound is computed: no recording of anybody is in them.

    python scripts/make_samples.py          # writes genrescope/samples/*.ogg
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

SR = 44_100
FOLDER = Path(__file__).resolve().parents[1] / "genrescope" / "samples"
QUALITY = 0.65
"""Of Ogg Vorbis, as soundfile counts compression: 0 is the best and 1 the smallest."""

Samples = NDArray[np.float64]
NAMES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def hertz(note: str) -> float:
    """Frequency of a note such as ``A4`` (440 Hz), ``F#3`` or ``Bb2``."""
    step = NAMES[note[0]] + note.count("#") - note[1:].count("b") + 12 * int(note[-1])
    return float(440 * 2 ** ((step - 57) / 12))


class Mix:
    """A stereo recording in the making."""

    def __init__(self, seconds: float) -> None:
        self.samples = np.zeros((round(seconds * SR), 2))

    def add(self, sound: Samples, at: float, *, gain: float = 1.0, pan: float = 0.0) -> None:
        """Adds a mono ``sound`` from second ``at`` on; ``pan`` is -1 (left) to 1 (right)."""
        start = round(at * SR)
        if start >= len(self.samples):
            return
        sound = sound[: len(self.samples) - start]
        angle = (pan + 1) * np.pi / 4
        sides = np.array([np.cos(angle), np.sin(angle)]) * np.sqrt(2)
        self.samples[start : start + len(sound)] += gain * sound[:, None] * sides


def times(seconds: float) -> Samples:
    return np.arange(round(seconds * SR)) / SR


def band(sound: Samples, low: float | None, high: float | None, order: int = 2) -> Samples:
    """What lies between two frequencies (Hz)."""
    if low and high:
        sos = butter(order, [low, high], "bandpass", fs=SR, output="sos")
    elif low:
        sos = butter(order, low, "highpass", fs=SR, output="sos")
    else:
        sos = butter(order, high, "lowpass", fs=SR, output="sos")
    return np.asarray(sosfilt(sos, sound, axis=0))


def room(mix: Samples, rng: np.random.Generator, *, seconds: float, wet: float) -> Samples:
    """``mix`` (n, 2) in a room whose echoes fade by 60 dB in ``seconds``."""
    t = times(seconds)
    echoes = rng.normal(size=(len(t), 2)) * 10 ** (-3 * t / seconds)[:, None]
    echoes = band(echoes, 180, 6_000)
    echoes /= np.sqrt((echoes**2).sum(axis=0))
    wetness = np.stack([fftconvolve(mix[:, c], echoes[:, c])[: len(mix)] for c in (0, 1)], axis=1)
    return mix + wet * wetness


def finish(mix: Samples, *, fade_s: float) -> NDArray[np.float32]:
    """Faded out, at a peak of -1.5 dB of full scale."""
    n = round(fade_s * SR)
    mix[-n:] *= np.cos(np.linspace(0, np.pi / 2, n))[:, None] ** 2
    mix[: SR // 200] *= np.linspace(0, 1, SR // 200)[:, None]
    return (0.84 * mix / np.abs(mix).max()).astype(np.float32)


# Instruments: each returns a mono sound of about unit peak.


def piano(note: str, seconds: float, rng: np.random.Generator, *, touch: float = 0.6) -> Samples:
    """A struck string: partials a little sharp, each fading at its own rate."""
    f0, t = hertz(note), times(seconds + 0.9)
    out = np.zeros_like(t)
    for k in range(1, 24):
        f = f0 * k * np.sqrt(1 + 0.00042 * k * k)
        if f > 9_000:
            break
        strength = touch ** (0.55 * k) / k**0.5 * abs(np.sin(np.pi * k / 8.3))
        fade = 0.55 + f0 / 620 + 0.14 * k
        pair = sum(np.sin(2 * np.pi * f * (1 + d) * t + rng.uniform(0, 6.3)) for d in (-3e-4, 3e-4))
        out += strength * pair * (0.75 * np.exp(-fade * 2.1 * t) + 0.25 * np.exp(-fade * 0.5 * t))
    knock = band(rng.normal(size=len(t)), 300, 2_600) * np.exp(-t / 0.012)
    out = out / np.abs(out).max() + 0.03 * knock
    out *= np.minimum(t / 0.004, 1)
    damped = np.clip((t - seconds) / 0.25, 0, 1)
    return np.asarray(out * (1 - damped) ** 2)


def saw(f0: float, t: Samples, *, detune: float = 0.0) -> Samples:
    """A saw tooth without aliases."""
    out = np.zeros_like(t)
    for k in range(1, max(2, min(60, int(12_000 / f0)))):
        out += np.sin(2 * np.pi * f0 * (1 + detune) * k * t) / k
    return out * 0.6


def strings(notes: list[str], seconds: float, *, bright: float = 3_200) -> Samples:
    t = times(seconds + 0.35)
    players = [
        saw(hertz(note), t + 4e-5 * np.sin(2 * np.pi * (5.1 + i) * t), detune=d)
        for note in notes
        for i, d in enumerate((-0.004, 0.0, 0.0045))
    ]
    out = band(np.sum(players, axis=0), 180, bright)
    shape = np.minimum(t / 0.07, 1) * np.clip((seconds + 0.3 - t) / 0.3, 0, 1)
    return np.asarray(out * shape / np.abs(out).max())


def bass(note: str, seconds: float, *, bright: float = 700) -> Samples:
    t = times(seconds)
    f0 = hertz(note)
    tone = np.sin(2 * np.pi * f0 * t) + band(saw(f0, t), None, bright) * 0.9
    shape = np.minimum(t / 0.005, 1) * np.exp(-t / 0.55) * np.clip((seconds - t) / 0.03, 0, 1)
    return np.asarray(np.tanh(1.4 * tone * shape))


def plucked(
    note: str,
    seconds: float,
    rng: np.random.Generator,
    *,
    damping: float = 0.996,
    dark: float = 0.5,
) -> Samples:
    """A string by Karplus and Strong (1983): a burst of noise going round a filter."""
    period = SR / hertz(note)
    whole = int(period - dark)
    n = round(seconds * SR)
    burst = np.zeros(n)
    burst[:whole] = band(rng.uniform(-1, 1, whole), None, 5_000)
    a = np.zeros(whole + 2)
    a[0], a[whole], a[whole + 1] = 1, -damping * (1 - dark), -damping * dark
    out = np.asarray(lfilter([1.0], a, burst))
    return out / np.abs(out).max()


def kick(*, low: float = 48, high: float = 190, seconds: float = 0.32) -> Samples:
    t = times(seconds)
    f = low + (high - low) * np.exp(-t / 0.028)
    tone = np.sin(2 * np.pi * np.cumsum(f) / SR) * np.exp(-t / 0.11)
    return np.asarray(np.tanh(2 * tone) + 0.25 * np.exp(-t / 0.002))


def snare(rng: np.random.Generator, *, seconds: float = 0.3, hz: float = 190) -> Samples:
    t = times(seconds)
    noise = band(rng.normal(size=len(t)), 900, 9_000) * np.exp(-t / 0.075) * 0.5
    return np.asarray(noise + 0.7 * np.sin(2 * np.pi * hz * t) * np.exp(-t / 0.05))


def hat(rng: np.random.Generator, *, fade: float) -> Samples:
    t = times(min(6 * fade, 0.6))
    return np.asarray(band(rng.normal(size=len(t)), 7_000, 15_000) * np.exp(-t / fade) * 0.5)


def amplifier(sound: Samples, *, drive: float) -> Samples:
    """An overdriven guitar amplifier and its loudspeaker."""
    driven = np.tanh(drive * band(sound, 110, None))
    driven = np.tanh(2.5 * driven + 0.2)
    loudspeaker = band(driven, 75, 8_900, order=2)
    return loudspeaker + 1.3 * band(driven, 1_400, 4_800)


# The pieces


def minuet() -> NDArray[np.float32]:
    """A small minuet for piano in D major."""
    rng = np.random.default_rng(3)
    mix, beat = Mix(14.4), 0.56
    broken = [
        ("D3", "A3", "F#3"), ("G3", "D4", "B3"), ("A2", "G3", "C#4"), ("D3", "A3", "F#3"),
        ("B2", "F#3", "D4"), ("E3", "B3", "G3"), ("A2", "E3", "C#4"), ("D3", "A3", "F#3"),
    ]  # fmt: skip
    melody = [
        *((0, "D5", 1), (1, "A4", 0.5), (1.5, "D5", 0.5), (2, "F#5", 1)),
        *((3, "G5", 1), (4, "F#5", 0.5), (4.5, "E5", 0.5), (5, "D5", 1)),
        *((6, "C#5", 0.5), (6.5, "D5", 0.5), (7, "E5", 1), (8, "A4", 1)),
        *((9, "F#5", 2), (11, "A5", 1)),
        *((12, "B5", 1), (13, "A5", 0.5), (13.5, "G5", 0.5), (14, "F#5", 1)),
        *((15, "G5", 0.5), (15.5, "F#5", 0.5), (16, "E5", 0.5), (16.5, "D5", 0.5), (17, "B4", 1)),
        *((18, "A4", 1), (19, "D5", 1), (20, "C#5", 1), (21, "D5", 3)),
    ]  # fmt: skip
    for bar, chord in enumerate(broken):
        last = bar == len(broken) - 1
        for i, step in enumerate((0, 1, 2, 1, 2, 1) if not last else (0, 2, 1)):
            at = (bar * 3 + i * 0.5) * beat + rng.normal(0, 0.004)
            length = 0.6 if not last else 2.5
            mix.add(
                piano(chord[step], length * beat, rng, touch=0.5), max(at, 0), gain=0.3, pan=-0.25
            )
    for at, note, length in melody:
        late = 0.012 + rng.normal(0, 0.005)
        sound = piano(note, (length + 0.1) * beat, rng, touch=0.6)
        mix.add(sound, at * beat + late, gain=0.5, pan=0.2)
    return finish(room(mix.samples, rng, seconds=1.7, wet=0.25), fade_s=1.2)


def disco() -> NDArray[np.float32]:
    """Four on the floor, a bass in octaves, strings on top."""
    rng = np.random.default_rng(5)
    beat = 60 / 119
    mix = Mix(24 * beat + 0.3)
    chords = [
        ("A1", ("A3", "C4", "E4", "G4"), ("E5", "G5")),
        ("D2", ("A3", "C4", "D4", "F#4"), ("F#5", "A5")),
        ("G1", ("G3", "B3", "D4", "F4"), ("D5", "F5")),
        ("C2", ("G3", "B3", "C4", "E4"), ("E5", "G5")),
        ("F1", ("A3", "C4", "E4", "F4"), ("C5", "E5")),
        ("E1", ("G#3", "B3", "D4", "E4"), ("B4", "E5")),
    ]
    for bar, (root, chord, top) in enumerate(chords):
        start = bar * 4 * beat
        higher = root[:-1] + str(int(root[-1]) + 1)
        for step in range(4):
            at = start + step * beat
            mix.add(kick(), at, gain=0.85)
            mix.add(bass(root, beat * 0.45), at, gain=0.5)
            mix.add(bass(higher, beat * 0.4), at + beat / 2, gain=0.42)
            mix.add(hat(rng, fade=0.09), at + beat / 2, gain=0.34, pan=0.25)
            for quarter in (0.25, 0.75):
                mix.add(hat(rng, fade=0.022), at + quarter * beat, gain=0.2, pan=0.25)
            if step % 2:
                mix.add(snare(rng), at, gain=0.5)
                clap = band(rng.normal(size=SR // 6), 900, 3_000) * np.exp(-times(1 / 6) / 0.05)
                mix.add(clap[: SR // 6], at + 0.008, gain=0.35, pan=-0.1)
        for sixteenth in (0, 3, 6, 7, 10, 11, 14):
            for i, note in enumerate(chord):
                scratch = plucked(note, 0.16, rng, damping=0.97)
                at = start + sixteenth * beat / 4 + 0.004 * i
                mix.add(scratch, at, gain=0.2, pan=0.55)
        mix.add(strings(list(chord), 3.6 * beat), start, gain=0.2, pan=-0.4)
        for i, note in enumerate(top):
            run = strings([note], beat * (1.4 if i else 0.9), bright=6_000)
            mix.add(run, start + (2 + i) * beat, gain=0.2, pan=-0.2)
    return finish(room(mix.samples, rng, seconds=0.9, wet=0.1), fade_s=0.6)


def metal() -> NDArray[np.float32]:
    """A riff for two guitars, bass and a hurried drummer."""
    rng = np.random.default_rng(8)
    eighth = 60 / 221 / 2
    mix = Mix(88 * eighth + 1.2)
    # (root, eighths held, muted by the palm)
    bar = [("E2", 1, 1), ("E2", 1, 1), ("G2", 2, 0), ("E2", 1, 1), ("E2", 1, 1), ("A2", 2, 0)]
    turn = [("E2", 1, 1), ("E2", 1, 1), ("Bb2", 2, 0), ("A2", 2, 0), ("G2", 2, 0)]
    end = [("C2", 4, 0), ("D2", 4, 0)]
    riff = [*2 * [*bar, *turn, *bar, *end], *bar, *turn, ("E2", 9, 0)]
    for side in (-0.85, 0.85):
        track = Mix(88 * eighth + 1.2)
        at = 0.0
        for root, length, muted in riff:
            seconds = length * eighth * (0.8 if muted else 1.0)
            for ratio, loud in ((1, 1.0), (1.5, 0.8), (2, 0.8), (3, 0.4)):
                step = round(12 * np.log2(ratio)) - 2
                note = _higher(root, step)
                string = plucked(note, seconds + 0.05, rng, damping=0.966 if muted else 0.99984)
                string *= np.clip(
                    (seconds + 0.04 - times(seconds + 0.05)[: len(string)]) / 0.03, 0, 1
                )
                track.add(string, at + rng.uniform(0, 0.006), gain=loud)
            at += length * eighth
        guitar = amplifier(track.samples.mean(axis=1), drive=45)
        mix.add(guitar, 0.0, gain=0.53, pan=side)
    at = 0.0
    for root, length, _ in riff:
        mix.add(bass(root[:-1] + "1", length * eighth, bright=1_400), at, gain=0.71)
        at += length * eighth
    for i in range(81):
        at = i * eighth
        if i < 80:
            for half in (0, 0.5):
                mix.add(kick(low=55, high=260, seconds=0.2), at + half * eighth, gain=0.35)
            if i % 4 == 2:
                mix.add(snare(rng, hz=210), at, gain=0.79)
            if i % 2 == 0:
                t = times(0.6)
                ride = band(rng.normal(size=len(t)), 1_800, 15_000) * np.exp(-t / 0.22)
                mix.add(ride, at, gain=0.19, pan=-0.35)
        if i % 16 == 0:
            t = times(2.2)
            crash = band(rng.normal(size=len(t)), 2_500, 15_000) * np.exp(-t / 0.6)
            mix.add(crash, at, gain=0.36, pan=0.4)
            mix.add(kick(), at, gain=0.9)
    return finish(room(mix.samples, rng, seconds=0.7, wet=0.08), fade_s=1.0)


def _higher(note: str, steps: int) -> str:
    """``note`` raised by ``steps`` half tones."""
    names = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
    number = round(12 * np.log2(hertz(note) / 440)) + 57 + steps
    return names[number % 12] + str(number // 12)


PIECES = {"minuet": minuet, "disco": disco, "metal": metal}


def write(path: Path, samples: NDArray[np.float32]) -> None:
    """An Ogg Vorbis file. In pieces: libsndfile cannot take a long recording at once."""
    with sf.SoundFile(
        path, "w", SR, 2, format="OGG", subtype="VORBIS", compression_level=QUALITY
    ) as f:
        for start in range(0, len(samples), 4096):
            f.write(samples[start : start + 4096])


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, play in PIECES.items():
        write(FOLDER / f"{name}.ogg", play())
