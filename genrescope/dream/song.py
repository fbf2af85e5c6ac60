"""The numbers that make a song: names, units and limits, and a point of the unit cube for each.

The limits are what keeps a song music: a tempo that one can walk or dance to, chords and melodies
of one scale, layers that may fall silent but never drown in noise.
"""

from __future__ import annotations

import math
from dataclasses import Field, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

OFF_DB = -36.0
"""A layer at this level or below is left out."""

KEYS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")

MODES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "blues": (0, 2, 4, 5, 7, 9, 10),
}
"""Semitones above the tonic of the seven degrees. In "blues" each chord is a dominant seventh."""

PROGRESSIONS: dict[str, tuple[int, ...]] = {
    "one chord": (0,),
    "I IV": (0, 3),
    "I VII": (0, 6),
    "I IV V I": (0, 3, 4, 0),
    "I V VI IV": (0, 4, 5, 3),
    "II V I VI": (1, 4, 0, 5),
    "I VII VI V": (0, 6, 5, 4),
    "I I VI VII": (0, 0, 5, 6),
    "blues": (0, 0, 3, 0, 4, 3, 0, 4),
}
"""Degrees of the scale, from 0, that follow each other."""

VOICINGS: dict[str, tuple[int, ...]] = {
    "fifths": (0, 4, 7),
    "triad": (0, 2, 4),
    "open triad": (0, 4, 9),
    "seventh": (0, 2, 4, 6),
    "ninth": (0, 2, 6, 8),
}
"""Degrees above the root, each on top of the other."""


def _number(low: float, high: float, unit: str, meaning: str, *, log: bool = False) -> Any:
    """A field that holds a number within limits; ``log`` spreads it evenly over its ratios."""
    return field(metadata={"low": low, "high": high, "unit": unit, "meaning": meaning, "log": log})


def _choice(*names: str, meaning: str) -> Any:
    """A field that holds one of several names."""
    return field(metadata={"names": names, "unit": "", "meaning": meaning})


@dataclass(frozen=True)
class Song:
    """A song as its numbers; `genrescope.dream.render` plays it."""

    tempo: float = _number(60, 180, "bpm", "beats a minute")
    swing: float = _number(0, 1 / 3, "beat", "delay of what lies between the beats or their halves")
    swing_of: str = _choice("eighths", "sixteenths", meaning="which notes swing")
    beats_per_bar: str = _choice("4", "3", meaning="beats of a bar")
    key: str = _choice(*KEYS, meaning="the tonic")
    mode: str = _choice(*MODES, meaning="the scale")
    progression: str = _choice(*PROGRESSIONS, meaning="the chords")
    chord_beats: str = _choice("2", "4", "8", meaning="beats of a chord")
    looseness: float = _number(0, 20, "ms", "by how much players miss the beat")
    accents: float = _number(0, 12, "dB", "from the weakest to the strongest step of a bar")

    drums: float = _number(-48, 3, "dB", "level of all drums")
    kick: float = _number(-24, 6, "dB", "level of the bass drum")
    kick_place: str = _choice(
        "every beat", "one and three", "three", "pattern", meaning="its beats"
    )
    kick_extra: float = _number(0, 0.6, "share", "steps between that it fills")
    kick_pattern: float = _number(0, 1, "turn", "which steps these are")
    kick_hz: float = _number(38, 95, "Hz", "its pitch", log=True)
    kick_s: float = _number(0.05, 0.5, "s", "its decay", log=True)
    kick_click: float = _number(-40, 0, "dB", "its attack")
    snare: float = _number(-30, 6, "dB", "level of the snare")
    snare_place: str = _choice("two and four", "three", "every beat", "none", meaning="its beats")
    snare_ghosts: float = _number(0, 0.5, "share", "steps between that it fills softly")
    snare_hz: float = _number(140, 420, "Hz", "its pitch", log=True)
    snare_noise: float = _number(-24, 6, "dB", "its wires against its skin")
    snare_s: float = _number(0.04, 0.4, "s", "its decay", log=True)
    hat: float = _number(-36, 3, "dB", "level of the hi-hat")
    hat_place: str = _choice(
        "beats", "eighths", "sixteenths", "off the beat", "swing", meaning="its steps"
    )
    hat_open: float = _number(0, 1, "share", "off-beats on which it is open")
    hat_hz: float = _number(3000, 9000, "Hz", "what lies below is taken away", log=True)
    hat_s: float = _number(0.02, 0.2, "s", "its decay", log=True)
    crash: float = _number(-40, 0, "dB", "level of the cymbal")
    crash_beats: str = _choice("1", "2", "4", "8", meaning="beats from one to the next")
    percussion: float = _number(-40, 3, "dB", "level of hand drums")
    percussion_hz: float = _number(180, 900, "Hz", "their pitch", log=True)
    percussion_density: float = _number(0.1, 0.7, "share", "steps that they fill")
    percussion_pattern: float = _number(0, 1, "turn", "which steps these are")

    bass: float = _number(-40, 6, "dB", "level of the bass")
    bass_style: str = _choice(
        "root", "walking", "octaves", "root and fifth", "riff", meaning="which notes it plays"
    )
    bass_density: float = _number(0.1, 0.9, "share", "steps that it fills, where it does not walk")
    bass_pattern: float = _number(0, 1, "turn", "which steps these are")
    bass_register: float = _number(26, 40, "MIDI", "its lowest note")
    bass_length: float = _number(0.2, 1, "share", "of the time to its next note")
    bass_hz: float = _number(100, 2500, "Hz", "what lies above is weaker", log=True)
    bass_drive: float = _number(-12, 24, "dB", "its amplifier's distortion")
    bass_s: float = _number(0.1, 2, "s", "its decay", log=True)

    chords: float = _number(-40, 6, "dB", "level of the chords")
    chord_rhythm: str = _choice(
        "held", "beats", "eighths", "off the beat", "two and four", "broken", "pattern",
        meaning="when they sound",
    )  # fmt: skip
    chord_density: float = _number(0.1, 0.8, "share", "steps of a pattern that they fill")
    chord_pattern: float = _number(0, 1, "turn", "which steps these are")
    voicing: str = _choice(*VOICINGS, meaning="which notes they hold")
    chord_register: float = _number(40, 66, "MIDI", "their lowest note")
    chord_length: float = _number(0.15, 1.2, "share", "of the time to the next")
    chord_attack_s: float = _number(0.002, 0.2, "s", "time to their full level", log=True)
    chord_s: float = _number(0.08, 4, "s", "their decay", log=True)
    chord_tilt: float = _number(0.4, 2.5, "power", "by which their overtones fall")
    chord_even: float = _number(0, 1, "share", "even overtones: 0 as a clarinet, 1 as a string")
    chord_hz: float = _number(300, 8000, "Hz", "what lies above is weaker", log=True)
    chord_drive: float = _number(-18, 40, "dB", "their amplifier's distortion")
    chord_strum_ms: float = _number(0, 40, "ms", "from one note of a chord to the next")
    chord_chorus: float = _number(0, 1, "share", "of a second voice beside them")

    pad: float = _number(-48, 3, "dB", "level of held strings behind")
    pad_register: float = _number(48, 74, "MIDI", "their lowest note")
    pad_hz: float = _number(400, 6000, "Hz", "what lies above is weaker", log=True)
    pad_attack_s: float = _number(0.02, 0.8, "s", "time to their full level", log=True)

    lead: float = _number(-40, 6, "dB", "level of the melody")
    lead_register: float = _number(50, 80, "MIDI", "its middle")
    lead_density: float = _number(0.08, 0.8, "share", "steps on which it begins a note")
    lead_pattern: float = _number(0, 1, "turn", "which steps these are")
    lead_leap: float = _number(0.3, 4, "degrees", "from note to note", log=True)
    lead_length: float = _number(0.3, 1.1, "share", "of the time to the next note")
    lead_attack_s: float = _number(0.003, 0.12, "s", "time to its full level", log=True)
    lead_s: float = _number(0.1, 4, "s", "its decay", log=True)
    lead_hz: float = _number(500, 9000, "Hz", "what lies above is weaker", log=True)
    lead_even: float = _number(0, 1, "share", "even overtones: 0 as a clarinet, 1 as a string")
    lead_voice: float = _number(0, 1, "share", "of the resonances of a mouth")
    lead_vibrato: float = _number(0, 0.6, "semitones", "depth of its vibrato")
    lead_drive: float = _number(-18, 30, "dB", "its amplifier's distortion")
    lead_breath: float = _number(-40, -6, "dB", "breath in its tone")

    room_s: float = _number(0.15, 3, "s", "time in which the room falls by 60 dB", log=True)
    room: float = _number(-36, 0, "dB", "level of the room")
    room_hz: float = _number(800, 8000, "Hz", "what lies above is weaker in it", log=True)
    low_db: float = _number(-9, 9, "dB", "what lies below 150 Hz")
    high_db: float = _number(-12, 9, "dB", "what lies above 3 kHz")
    low_cut_hz: float = _number(25, 200, "Hz", "what lies below is taken away", log=True)
    high_cut_hz: float = _number(3000, 11000, "Hz", "what lies above is taken away", log=True)
    drive: float = _number(-12, 12, "dB", "how hard the whole is pressed")
    hiss: float = _number(-70, -36, "dB", "noise of the tape")
    width: float = _number(0, 1, "share", "how far left and right differ")

    @classmethod
    def from_vector(cls, vector: ArrayLike) -> Song:
        """The song at a point of the unit cube.

        Args:
            vector: (n_parameters,), each clipped to 0 to 1: from the lowest to the highest, or
                from the first name to the last.
        """
        point = np.clip(np.asarray(vector, np.float64), 0.0, 1.0)
        if point.shape != (len(parameters()),):
            raise ValueError(f"a song has {len(parameters())} numbers, not {point.shape}")
        values: dict[str, Any] = {
            p.name: _value(p, float(x)) for p, x in zip(parameters(), point, strict=True)
        }
        return cls(**values)

    def to_vector(self) -> NDArray[np.float64]:
        """The point of the unit cube, float64 (n_parameters,); of a name the middle of its part."""
        return np.array([_position(p, getattr(self, p.name)) for p in parameters()])


def parameters() -> tuple[Field[Any], ...]:
    """The parameters in the order of the vector; ``metadata`` tells unit, meaning and limits."""
    return fields(Song)


def _value(parameter: Field[Any], x: float) -> float | str:
    told = parameter.metadata
    if "names" in told:
        names: tuple[str, ...] = told["names"]
        return names[min(int(x * len(names)), len(names) - 1)]
    low, high = told["low"], told["high"]
    if told["log"]:
        return float(low * (high / low) ** x)
    return float(low + (high - low) * x)


def _position(parameter: Field[Any], value: Any) -> float:
    told = parameter.metadata
    if "names" in told:
        return float((told["names"].index(value) + 0.5) / len(told["names"]))
    low, high = told["low"], told["high"]
    if told["log"]:
        return math.log(value / low) / math.log(high / low)
    return float((value - low) / (high - low))
