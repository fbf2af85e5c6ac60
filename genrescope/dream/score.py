"""From a song's numbers to notes: when each layer sounds, how high and how loud.

All chance comes from arrays that are drawn once from the seed, the same for every song: a small
change of a number changes a few notes, and a longer piece begins like a shorter one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrescope.dream.song import KEYS, MODES, OFF_DB, PROGRESSIONS, VOICINGS, Song

Float64 = NDArray[np.float64]

_STEPS = 1024
"""Sixteenths that chance is drawn for: 85 s at the highest tempo."""

LONGEST_S = 60.0

_DOMINANT = (0, 4, 7, 10, 14)
"""Semitones of the chords of "blues"."""
_PENTATONIC = {"major": (0, 1, 2, 4, 5), "minor": (0, 2, 3, 4, 6)}
"""Degrees that a riff uses."""


@dataclass(frozen=True)
class Note:
    """A note of a layer.

    Attributes:
        start: s.
        duration: s.
        pitch: MIDI number; of drums 0.
        gain: of the loudest note of its layer.
    """

    start: float
    duration: float
    pitch: float
    gain: float


@dataclass(frozen=True)
class Score:
    """What is played.

    Attributes:
        layers: notes of each layer that sounds, by its name in `Song`.
        beats: times of the beats, s.
    """

    layers: dict[str, tuple[Note, ...]]
    beats: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class _Chance:
    """What is drawn once from a seed."""

    timing: Float64  # (_STEPS,), standard normal
    leaps: Float64  # (_STEPS,), standard normal
    patterns: dict[str, Float64]  # (2, 32) each, uniform

    @classmethod
    def of(cls, seed: int) -> _Chance:
        rng = np.random.default_rng(seed)
        names = ("kick", "snare", "percussion", "bass", "chord", "lead")
        return cls(
            np.clip(rng.standard_normal(_STEPS), -2, 2),
            rng.standard_normal(_STEPS),
            {name: rng.standard_normal((2, 32)) for name in names},
        )


class _Grid:
    """The sixteenths of a song: their times and weights."""

    def __init__(self, song: Song, seconds: float, chance: _Chance) -> None:
        self.song, self.chance = song, chance
        self.beat_s = 60.0 / song.tempo
        self.per_bar = 4 * int(song.beats_per_bar)
        self.n = min(int(np.ceil(seconds / self.beat_s * 4)), _STEPS - 32)
        step = np.arange(self.n + 32)
        within = np.take(_swung(song), step % 4)
        loose = chance.timing[: len(step)] * song.looseness / 2000
        self.times = np.maximum(0.0, (step // 4 + within) * self.beat_s + loose)
        self.weights = np.take(_weights(self.per_bar), step % self.per_bar)

    def filled(self, name: str, density: float, turn: float) -> list[int]:
        """The steps of a pattern that repeats every two bars.

        It is the weight of the steps and chance: of the two patterns that were drawn, by a turn
        from one to the other. The share ``density`` of all steps is filled.
        """
        first, second = self.chance.patterns[name]
        angle = 2 * np.pi * turn
        length = 2 * self.per_bar
        noise = (np.cos(angle) * first + np.sin(angle) * second)[:length]
        scores = np.tile(_weights(self.per_bar), 2) + 0.5 * noise
        n_filled = max(1, round(density * length))
        inside = np.zeros(length, bool)
        inside[np.argsort(-scores, kind="stable")[:n_filled]] = True
        return [int(step) for step in np.flatnonzero(np.resize(inside, self.n))]

    def every(self, n_steps: int, offset: int = 0) -> range:
        return range(offset, self.n, n_steps)

    def beats_of_bar(self, *beats: int) -> list[int]:
        return [i for i in range(self.n) if i % 4 == 0 and i % self.per_bar // 4 in beats]

    def gain(self, step: int) -> float:
        """Of a note on a step: less where the bar is weak."""
        return float(10 ** (-self.song.accents * (1 - self.weights[step]) / 20))

    def hits(self, steps: Iterable[int], gain: float = 1.0) -> list[Note]:
        """Of a drum."""
        return [Note(self.times[step], 0.0, 0.0, gain * self.gain(step)) for step in steps]

    def chord_of(self, step: int) -> int:
        """Degree of the chord that sounds at a step."""
        degrees = PROGRESSIONS[self.song.progression]
        return degrees[step // (4 * int(self.song.chord_beats)) % len(degrees)]


def _swung(song: Song) -> Float64:
    """Where the four sixteenths of a beat lie in it."""
    if song.swing_of == "eighths":
        middle = 0.5 + song.swing / 2
        return np.array([0.0, middle / 2, middle, middle + (1 - middle) / 2])
    late = song.swing / 4
    return np.array([0.0, 0.25 + late, 0.5, 0.75 + late])


def _weights(per_bar: int) -> Float64:
    """How strong each step of a bar is, 0 to 1."""
    step = np.arange(per_bar)
    weights = np.where(step % 2, 0.1, np.where(step % 4, 0.35, 0.6))
    weights[0] = 1.0
    if per_bar == 16:
        weights[8] = 0.8
    return weights


def write(song: Song, seconds: float, *, seed: int = 0) -> Score:
    """Write the notes of a song.

    Args:
        song: its numbers.
        seconds: how long it plays, at most `LONGEST_S`.
        seed: of the patterns and melodies.

    Raises:
        ValueError: ``seconds`` is not between 0 and `LONGEST_S`.
    """
    if not 0 < seconds <= LONGEST_S:
        raise ValueError(f"a song plays for up to {LONGEST_S:g} s, not {seconds}")
    grid = _Grid(song, seconds, _Chance.of(seed))
    layers = {
        **(_drums(grid) if song.drums > OFF_DB else {}),
        "bass": _bass(grid) if song.bass > OFF_DB else [],
        "chords": _chords(grid) if song.chords > OFF_DB else [],
        "pad": _pad(grid) if song.pad > OFF_DB else [],
        "lead": _lead(grid) if song.lead > OFF_DB else [],
    }
    return Score(
        {
            name: inside
            for name, notes in layers.items()
            if (inside := tuple(note for note in notes if note.start < seconds))
        },
        tuple(i * grid.beat_s for i in range(grid.n // 4 + 1) if i * grid.beat_s < seconds),
    )


def _drums(grid: _Grid) -> dict[str, list[Note]]:
    song = grid.song
    beats = list(grid.every(4))
    kicks = {
        "every beat": beats,
        "one and three": grid.beats_of_bar(0, 2),
        "three": grid.beats_of_bar(2),
        "pattern": [],
    }[song.kick_place]
    extra = grid.filled("kick", song.kick_extra, song.kick_pattern)
    snares = {
        "two and four": grid.beats_of_bar(1, 3 if grid.per_bar == 16 else 2),
        "three": grid.beats_of_bar(2),
        "every beat": beats,
        "none": [],
    }[song.snare_place]
    ghosts = grid.filled("snare", song.snare_ghosts, 0.0) if song.snare_ghosts > 0.04 else []
    closed = {
        "beats": beats,
        "eighths": list(grid.every(2)),
        "sixteenths": list(grid.every(1)),
        "off the beat": list(grid.every(4, 2)),
        "swing": [step for step in grid.every(2) if step % 4 == 0 or step % 8 == 6],
    }[song.hat_place]
    # Of every eight off-beats so many are open, the last ones first.
    n_open = round(8 * song.hat_open)
    open_hats = [i for i in grid.every(4, 2) if i // 4 % 8 >= 8 - n_open]
    hand = grid.filled("percussion", song.percussion_density, song.percussion_pattern)
    every_beats = 4 * int(song.crash_beats)
    layers = {
        "kick": grid.hits(sorted({*kicks, *extra})),
        "snare": [*grid.hits(snares), *grid.hits(sorted(set(ghosts) - set(snares)), 0.25)],
        "hat": grid.hits([i for i in closed if i not in set(open_hats)]),
        "open_hat": grid.hits(open_hats),
        "crash": grid.hits(grid.every(every_beats)),
        "percussion": grid.hits(hand),
    }
    off = {
        "hat": song.hat, "open_hat": song.hat, "crash": song.crash, "percussion": song.percussion
    }  # fmt: skip
    return {name: notes for name, notes in layers.items() if off.get(name, 0.0) > -30}


def _bass(grid: _Grid) -> list[Note]:
    song = grid.song
    style = song.bass_style
    if style == "walking":
        steps = list(grid.every(4))
    elif style == "octaves":
        steps = list(grid.every(2))
    else:
        steps = grid.filled("bass", song.bass_density, song.bass_pattern)
    notes = []
    for place, (step, after) in enumerate(zip(steps, [*steps[1:], grid.n], strict=True)):
        root = grid.chord_of(step)
        degree, octave = root, 0
        if style == "walking":
            degree = root + (0, 2, 4, 5)[place % 4]
        elif style == "octaves":
            octave = place % 2
        elif style == "root and fifth":
            degree = root + (4 if place % 2 else 0)
        elif style == "riff":
            kind = "major" if MODES[song.mode][2] == 4 else "minor"
            steps_up = _PENTATONIC[kind]
            turn = grid.chance.leaps[step % (2 * grid.per_bar)]
            degree = root + steps_up[int(abs(turn) * 2.2) % len(steps_up)]
        pitch = _at_or_above(_pitch(song, degree), song.bass_register) + 12 * octave
        length = song.bass_length * (grid.times[after] - grid.times[step])
        notes.append(Note(grid.times[step], max(0.05, length), pitch, grid.gain(step)))
    return notes


def _chords(grid: _Grid) -> list[Note]:
    song = grid.song
    change = 4 * int(song.chord_beats)
    rhythm = song.chord_rhythm
    steps = {
        "held": list(grid.every(change)),
        "beats": list(grid.every(4)),
        "eighths": list(grid.every(2)),
        "off the beat": list(grid.every(4, 2)),
        "two and four": grid.beats_of_bar(1, 3 if grid.per_bar == 16 else 2),
        "broken": list(grid.every(2)),
        "pattern": grid.filled("chord", song.chord_density, song.chord_pattern),
    }[rhythm]
    notes = []
    for place, (step, after) in enumerate(zip(steps, [*steps[1:], grid.n], strict=True)):
        pitches = _chord(song, grid.chord_of(step), song.chord_register)
        if rhythm == "broken":
            pitches = [pitches[(0, 2, 1, 2)[place % 4] % len(pitches)]]
        length = max(0.04, song.chord_length * (grid.times[after] - grid.times[step]))
        for i, pitch in enumerate(pitches):
            late = i * song.chord_strum_ms / 1000
            notes.append(Note(grid.times[step] + late, length, pitch, grid.gain(step)))
    return notes


def _pad(grid: _Grid) -> list[Note]:
    song = grid.song
    change = 4 * int(song.chord_beats)
    ends = {step: grid.times[min(step + change, grid.n)] for step in grid.every(change)}
    return [
        Note(grid.times[step], end - grid.times[step], pitch, 1.0)
        for step, end in ends.items()
        for pitch in _chord(song, grid.chord_of(step), song.pad_register)
    ]


def _lead(grid: _Grid) -> list[Note]:
    song = grid.song
    steps = grid.filled("lead", song.lead_density, song.lead_pattern)
    notes = []
    place = 0.0  # degrees above the middle
    for step, after in zip(steps, [*steps[1:], grid.n], strict=True):
        place += song.lead_leap * grid.chance.leaps[step]
        while not -7 <= place <= 7:
            place = np.sign(place) * 14 - place
        degree = round(place)
        if grid.weights[step] >= 0.6:  # strong steps take a note of the chord
            root = grid.chord_of(step)
            degree = min((root + d + 7 * o for o in (-2, -1, 0, 1) for d in (0, 2, 4)),
                         key=lambda tone: abs(tone - place))  # fmt: skip
        middle = _at_or_above(_pitch(song, 0), song.lead_register - 6)
        pitch = middle + _pitch(song, degree) - _pitch(song, 0)
        # A phrase breathes: no note is held longer than two beats.
        gap = min(grid.times[after] - grid.times[step], 2 * grid.beat_s)
        length = max(0.05, song.lead_length * gap)
        notes.append(Note(grid.times[step], length, pitch, grid.gain(step)))
    return notes


def _pitch(song: Song, degree: int) -> float:
    """MIDI number of a degree of the song's scale, in the octave of middle C for degree 0 to 6."""
    octave, inside = divmod(degree, 7)
    return 60 + KEYS.index(song.key) + 12 * octave + MODES[song.mode][inside]


def _chord(song: Song, root: int, register: float) -> list[float]:
    """MIDI numbers of a chord whose root lies in the octave above ``register``."""
    above = [_pitch(song, root + d) - _pitch(song, root) for d in VOICINGS[song.voicing]]
    if song.mode == "blues" and song.voicing != "fifths":
        above = [_DOMINANT[i] for i in range(len(VOICINGS[song.voicing]))]
    lowest = _at_or_above(_pitch(song, root), register)
    return [lowest + interval for interval in above]


def _at_or_above(pitch: float, lowest: float) -> float:
    """The same note in the octave that begins at ``lowest``."""
    first = float(np.ceil(lowest))
    return first + (pitch - first) % 12
