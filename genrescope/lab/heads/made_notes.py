"""Made log-mels whose notes are known: what a net of pitch classes learns from.

A partial's place in the mel bands follows from its frequency alone, so that no sound has to be
made: the power of all partials, drums and noise is added up band by band. Music as the front end
hears it at large: a bass, chords and tunes of one scale, tuned alike, each with a timbre of its
own, the drums louder or softer, the whole coloured as by some mix.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from genrescope.features.config import FeatureConfig
from genrescope.features.mel import mel_filterbank

Float = NDArray[np.float64]

N_FRAMES = 60
"""Frames of a clip: some five seconds at the usual front end."""
N_CLASSES = 24
"""What is told of each frame: which pitch classes sound, from A upwards; then which in the bass."""

SCALES = (
    ((0, 2, 4, 5, 7, 9, 11), 0.3), ((0, 2, 3, 5, 7, 8, 10), 0.25), ((0, 2, 3, 5, 7, 8, 11), 0.08),
    ((0, 2, 4, 5, 7, 9, 10), 0.12), ((0, 3, 5, 6, 7, 10), 0.1), ((0, 2, 4, 7, 9), 0.1),
    (tuple(range(12)), 0.05),
)  # fmt: skip
"""Steps of the scales of music, in semitones, and how often each is taken."""

BASS, CHORDS, TUNE, ANY = range(4)
_RANGES = {BASS: (28, 50), CHORDS: (46, 74), TUNE: (58, 86), ANY: (40, 80)}  # MIDI
_LOWEST_HZ, _CENTS = 27.5, 5
_LOW_NOTE = 48  # MIDI; what lies below is bass whoever plays it
_FAINT_DB = -26.0  # a note below this is not asked for
_A4 = 69  # MIDI


@dataclass(frozen=True, eq=False)
class _Part:
    """An instrument.

    Attributes:
        kind: of `_RANGES`.
        voices: notes at a time.
        fall: dB an octave of harmonics, over 6.
        gains: of each harmonic, dB.
        level: dB.
        decay: of a note, dB a frame.
        colour: dB of each band.
        glides: whether its pitch sways and slides, as a voice's does.
        stiffness: by which harmonics are sharp, as of a piano's strings.
        length: of its notes, frames.
    """

    kind: int
    voices: int
    fall: float
    gains: Float
    level: float
    decay: float
    colour: Float
    glides: bool
    stiffness: float
    length: int


def made_clip(
    config: FeatureConfig, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Notes as a front end hears them.

    Returns:
        A standardised log-mel (n_mels, N_FRAMES), and what sounds in it, 0 or 1 (N_CLASSES,
        N_FRAMES).
    """
    n_mels = config.n_bins
    steps = SCALES[rng.choice(len(SCALES), p=[share for _, share in SCALES])][0]
    scale = (np.array(steps) + rng.integers(12)) % 12
    tuning = float(np.clip(rng.normal(0, 12), -35, 35))
    power = np.zeros((N_FRAMES, n_mels))
    notes = np.zeros((2, 12, N_FRAMES), np.float32)
    kinds = rng.integers(0, 4, rng.integers(2, 6)).tolist()
    if rng.random() < 0.8:
        kinds += [BASS, CHORDS]
    for kind in kinds:
        part = _draw_part(kind, n_mels, rng)
        start = 0
        while start < N_FRAMES:
            length = max(1, round(part.length * rng.choice([0.5, 1, 1, 1, 2])))
            here = slice(start, min(N_FRAMES, start + length))
            start += length
            if rng.random() < 0.15:
                continue
            n = here.stop - here.start
            audible = part.level - part.decay * np.arange(n) > _FAINT_DB
            for note in _draw_notes(part, scale, rng):
                power[here] += _played(part, note, tuning, n, config, rng)
                sounding = notes[:, (note - _A4) % 12, here]
                sounding[0] = np.maximum(sounding[0], audible)
                if kind == BASS or note < _LOW_NOTE:
                    sounding[1] = np.maximum(sounding[1], audible)
    power += _from_db(_noise_floor(n_mels, rng)) * rng.gamma(3, 1 / 3, power.shape)
    if rng.random() < 0.75:
        power += _drums(n_mels, rng)
    db = 10 * np.log10(np.maximum(power * _from_db(_curve(n_mels, 4, rng, n_points=8)), 1e-10))
    db = np.maximum(db, db.max() - 80)
    db = (db - db.mean()) / db.std()
    return db.T.astype(np.float32), notes.reshape(N_CLASSES, N_FRAMES)


def _draw_part(kind: int, n_mels: int, rng: np.random.Generator) -> _Part:
    voices = {CHORDS: rng.integers(2, 5), ANY: rng.integers(1, 4)}.get(kind, 1)
    gains = rng.normal(0, 5, rng.integers(1, 26))
    if rng.random() < 0.15:
        gains[1::2] -= rng.uniform(4, 17)  # a closed pipe's harmonics are the odd ones
    lengths = (6, 8, 12, 16, 24) if kind == CHORDS else (2, 3, 4, 6, 8, 12)
    return _Part(
        kind=kind,
        voices=int(voices),
        fall=rng.uniform(0.4, 2.6),
        gains=gains,
        level=rng.uniform(-12, 4) if kind == BASS else rng.uniform(-22, 0),
        decay=rng.uniform(0, 2.5),
        colour=_curve(n_mels, 5, rng),
        glides=kind == TUNE and rng.random() < 0.3,
        stiffness=rng.uniform(0, 4e-4) if rng.random() < 0.3 else 0.0,
        length=int(rng.choice(lengths)),
    )


def _draw_notes(part: _Part, scale: NDArray[np.int64], rng: np.random.Generator) -> list[int]:
    """MIDI numbers of what a part plays next: a chord of thirds, or one note."""
    low, high = _RANGES[part.kind]
    if part.voices == 1:
        pitch_class = rng.choice(scale) if rng.random() < 0.93 else rng.integers(12)
        lowest = rng.integers(low, high - 11)
        return [int(lowest + (pitch_class - lowest) % 12)]
    first, lowest = rng.integers(len(scale)), rng.integers(low, high - 12)
    found = []
    for i in range(part.voices):
        note = lowest + (scale[(first + 2 * i) % len(scale)] - lowest) % 12
        found.append(int(note + 12 * rng.integers(0, 2) if note + 12 < high + 6 else note))
    return found


def _played(
    part: _Part, note: int, tuning: float, n: int, config: FeatureConfig, rng: np.random.Generator
) -> Float:
    """Power of a note in each band, (n, n_mels)."""
    slide = rng.normal(0, 60) if part.glides and rng.random() < 0.4 else 0.0
    harmonics = np.arange(1, len(part.gains) + 1)
    hz = 440 * 2 ** ((note - _A4 + (tuning + slide) / 100) / 12)
    hz = hz * harmonics * np.sqrt(1 + part.stiffness * harmonics**2)
    there = hz < 0.93 * config.sr / 2
    if not there.any():
        return np.zeros((n, config.n_bins))
    cents = 1200 * np.log2(hz[there] / _LOWEST_HZ) + rng.normal(0, 25 if part.glides else 3, (n, 1))
    response = _response(config)
    at = np.clip(np.round(cents / _CENTS), 0, len(response) - 1).astype(np.int64)
    db = part.level - 20 * part.fall * np.log10(harmonics[there]) + part.gains[there]
    fading = rng.normal(0, 2) - part.decay * np.arange(n)[:, None]
    db = db + fading + rng.normal(0, 1.5, (n, len(db)))
    return np.asarray(
        np.einsum("th,thm->tm", _from_db(db), response[at]) * _from_db(part.colour), np.float64
    )


def _noise_floor(n_mels: int, rng: np.random.Generator) -> Float:
    tilt = np.linspace(rng.uniform(0, 8), -rng.uniform(0, 15), n_mels)
    return np.asarray(rng.uniform(-65, -22) + _curve(n_mels, 4, rng) + tilt, np.float64)


def _drums(n_mels: int, rng: np.random.Generator) -> Float:
    """Power of one to three drums, (N_FRAMES, n_mels)."""
    power = np.zeros((N_FRAMES, n_mels))
    every = int(rng.choice([3, 4, 6, 7, 8]))
    for _ in range(rng.integers(1, 4)):
        tilt = np.linspace(rng.uniform(-15, 15), rng.uniform(-15, 15), n_mels)
        level = rng.uniform(-32, -8) + _curve(n_mels, 8, rng) + tilt
        struck = np.zeros(N_FRAMES)
        struck[rng.integers(every) :: every] = 1
        struck *= rng.random(N_FRAMES) < 0.9
        fade = rng.uniform(0.05, 0.6)
        for i in range(1, N_FRAMES):
            struck[i] = max(struck[i], struck[i - 1] * fade)
        power += _from_db(level) * struck[:, None] * rng.gamma(3, 1 / 3, power.shape)
    return power


def _curve(n: int, deviation: float, rng: np.random.Generator, *, n_points: int = 6) -> Float:
    """A smooth random curve in dB, (n,)."""
    points = rng.normal(0, deviation, n_points)
    curve = np.interp(np.linspace(0, 1, n), np.linspace(0, 1, n_points), points)
    return np.asarray(curve, np.float64)


def _from_db(db: Float) -> Float:
    return np.asarray(10 ** (db / 10), np.float64)


@lru_cache(maxsize=2)
def _response(config: FeatureConfig) -> NDArray[np.float32]:
    """Power in each band of a tone of each frequency, in steps of 5 cents, (n, n_mels)."""
    bank = mel_filterbank(config)
    n_octaves = np.log2(0.96 * config.sr / 2 / _LOWEST_HZ)
    hz = _LOWEST_HZ * 2 ** (np.arange(int(1200 / _CENTS * n_octaves)) * _CENTS / 1200)
    bins = np.arange(bank.shape[1])
    rows = [_hann(bins - f * config.n_fft / config.sr) @ bank.T for f in hz]
    response = np.stack(rows)
    return np.asarray(response / response.max(), np.float32)


def _hann(offset: Float) -> Float:
    """Power of a tone so many bins off, behind a Hann window; its side lobes are left out."""
    off = np.abs(offset)
    beside = np.where(np.abs(off - 1) < 1e-6, 0.0, off)
    gain = np.where(beside == off, np.sinc(off) / (1 - beside**2), 0.5)
    return np.where(off < 3, gain**2, 0.0)
