"""From a song to sound: its layers, its room, its mix. No samples, and the same every time."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from genrescope.dream import voices
from genrescope.dream.score import Note, write
from genrescope.dream.song import Song
from genrescope.dream.voices import Tone

Float32 = NDArray[np.float32]

_PAN = {"hat": 0.35, "open_hat": 0.35, "percussion": -0.5, "chords": -0.4, "lead": 0.25, "pad": 0.1}
"""Where a layer stands, from left to right, at full width."""
_PITCHED = ("bass", "chords", "pad", "lead")
_DRUM_LEVEL = 4.0  # a drum's peak over the standard deviation of a layer that has a pitch
_ROOM_SEND = {"bass": 0.15, "kick": 0.2}
"""How much of a layer the room hears; all of the others."""


def render(song: Song, seconds: float, sr: int, *, seed: int = 0) -> Float32:
    """Play a song in mono: the middle of what `render_stereo` plays.

    Args:
        song: its numbers.
        seconds: how long.
        sr: sample rate in Hz.
        seed: of the patterns and melodies.

    Returns:
        float32 (n_samples,), standard deviation about 0.1.
    """
    return _mixed(song, _layers(song, seconds, sr, seed), round(seconds * sr), sr)[0]


def render_stereo(song: Song, seconds: float, sr: int, *, seed: int = 0) -> Float32:
    """Play a song in stereo, float32 (2, n_samples); the mean of the channels is `render`'s."""
    layers = _layers(song, seconds, sr, seed)
    middle, side = _mixed(song, layers, round(seconds * sr), sr, with_side=True)
    return np.stack([middle + side, middle - side])


def _layers(song: Song, seconds: float, sr: int, seed: int) -> dict[str, Float32]:
    """Each layer that sounds at its level, float32 (n_samples,)."""
    n = round(seconds * sr)
    played: dict[str, Float32] = {}
    for name, notes in write(song, seconds, seed=seed).layers.items():
        if name in _PITCHED:
            layer = _pitched(name, notes, song, n, sr)
            layer /= max(1e-9, float(np.sqrt(np.mean(layer * layer))))
            played[name] = layer * np.float32(_amplitude(getattr(song, name)))
        else:
            hit, level_db = _drum(name, song, sr)
            layer = _placed(n, ((note.start, hit, note.gain) for note in notes), sr)
            played[name] = layer * np.float32(_DRUM_LEVEL * _amplitude(song.drums + level_db))
    return played


def _drum(name: str, song: Song, sr: int) -> tuple[Float32, float]:
    """One hit of a drum, and its level in dB."""
    match name:
        case "kick":
            click = _amplitude(song.kick_click)
            return voices.kick(song.kick_hz, song.kick_s, click, sr), song.kick
        case "snare":
            wires = _amplitude(song.snare_noise)
            return voices.snare(song.snare_hz, song.snare_s, wires, sr), song.snare
        case "hat":
            return voices.cymbal(song.hat_hz, song.hat_s, 4, sr), song.hat
        case "open_hat":
            return voices.cymbal(song.hat_hz, 3 * song.hat_s, 5, sr), song.hat
        case "crash":
            return voices.cymbal(2_000.0, 0.5, 6, sr), song.crash
        case _:
            return voices.hand_drum(song.percussion_hz, sr), song.percussion


def _pitched(name: str, notes: Iterable[Note], song: Song, n: int, sr: int) -> Float32:
    """A layer that has a pitch, through its amplifier."""
    sound, drive_db = _sound(name, song)
    made: dict[tuple[float, int], Float32] = {}

    def play(note: Note) -> Float32:
        key = (note.pitch, round(note.duration * 200))
        if key not in made:
            made[key] = voices.tone(note.pitch, key[1] / 200, sound, sr)
        return made[key]

    layer = _placed(n, ((note.start, play(note), note.gain) for note in notes), sr)
    if name == "pad" or (name == "chords" and song.chord_chorus > 0.03):
        layer = _chorus(layer, 1.0 if name == "pad" else song.chord_chorus, sr)
    if drive_db > -12:
        loud = float(np.abs(layer).max())
        layer = np.tanh(layer * np.float32(_amplitude(drive_db) / max(loud, 1e-9) * 2))
        layer = _cabinet(layer, drive_db, sr)
    return layer


def _sound(name: str, song: Song) -> tuple[Tone, float]:
    """The tone of a layer, and how hard its amplifier is driven, in dB."""
    match name:
        case "bass":
            tone = Tone(0.004, song.bass_s, tilt=1.0, cutoff_hz=song.bass_hz)
            return tone, song.bass_drive
        case "chords":
            tone = Tone(
                song.chord_attack_s, song.chord_s, tilt=song.chord_tilt, even=song.chord_even,
                cutoff_hz=song.chord_hz,
            )  # fmt: skip
            return tone, song.chord_drive
        case "pad":
            return Tone(song.pad_attack_s, 8.0, tilt=1.1, cutoff_hz=song.pad_hz, vibrato=0.06), -99
        case _:
            tone = Tone(
                song.lead_attack_s, song.lead_s, tilt=1.0, even=song.lead_even,
                cutoff_hz=song.lead_hz, voice=song.lead_voice, vibrato=song.lead_vibrato,
                breath=_amplitude(song.lead_breath),
            )  # fmt: skip
            return tone, song.lead_drive


def _placed(n: int, sounds: Iterable[tuple[float, Float32, float]], sr: int) -> Float32:
    """Sounds at their times, added up; what would lie past the end is cut."""
    out = np.zeros(n, np.float32)
    for start, sound, gain in sounds:
        first = round(start * sr)
        inside = sound[: max(0, n - first)]
        out[first : first + len(inside)] += np.float32(gain) * inside
    return out


def _chorus(x: Float32, share: float, sr: int) -> Float32:
    """Beside the sound the same, now a little early, now late."""
    t = np.arange(len(x), dtype=np.float32)
    delay = sr * (0.014 + 0.004 * np.sin(np.float32(2 * np.pi * 0.7 / sr) * t))
    place = np.maximum(0.0, t - delay.astype(np.float32))
    whole = place.astype(np.int32)
    second = x[whole] + (place - whole) * (x[np.minimum(whole + 1, len(x) - 1)] - x[whole])
    mixed: Float32 = (x + np.float32(share) * second).astype(np.float32)
    return mixed


def _cabinet(x: Float32, drive_db: float, sr: int) -> Float32:
    """What a loudspeaker leaves of a distorted sound: little above 5 kHz."""
    from scipy.signal import butter, sosfilt

    if drive_db < 6:
        return x
    sections = butter(2, (80.0, 5_000.0), "bandpass", fs=sr, output="sos").astype(np.float32)
    filtered: Float32 = sosfilt(sections, x)
    return filtered


def _mixed(
    song: Song, layers: dict[str, Float32], n: int, sr: int, *, with_side: bool = False
) -> tuple[Float32, Float32]:
    """Middle and side of the layers in their room, through the song's equaliser and press."""
    from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

    dry = np.zeros(n, np.float32)
    send = np.zeros(n, np.float32)
    side = np.zeros(n, np.float32)
    for name, layer in layers.items():
        dry += layer
        send += np.float32(_ROOM_SEND.get(name, 1.0)) * layer
        if with_side and name in _PAN:
            side += np.float32(_PAN[name] * song.width) * layer
    dry += np.float32(_amplitude(song.hiss)) * voices.noise(n, 9)
    n_room = round(1.1 * song.room_s * sr)
    size = next_fast_len(n + n_room, real=True)
    hz = rfftfreq(size, 1 / sr).astype(np.float32)
    shape = _equaliser(song, hz)
    sent = rfft(send, size) * (np.float32(_amplitude(song.room)) / (1 + (hz / song.room_hz) ** 2))
    middle = irfft((rfft(dry, size) + sent * rfft(_room(song, sr, 7), size)) * shape, size)[:n]
    level = np.float32(0.1 / max(1e-9, float(np.sqrt(np.mean(middle * middle)))))
    press = np.float32(_amplitude(song.drive))
    middle = (np.tanh(middle * level * press * 2) / (2 * press)).astype(np.float32)
    if with_side:
        apart = sent * rfft(_room(song, sr, 8), size) * np.float32(song.width)
        side = irfft((rfft(side, size) + apart) * shape, size)[:n] * level
    return middle, side


def _room(song: Song, sr: int, which: int) -> Float32:
    """The answer of a room to a click: noise that falls by 60 dB in its time, of energy 1."""
    n = round(1.1 * song.room_s * sr)
    t = np.arange(n, dtype=np.float32) / np.float32(sr)
    tail = voices.noise(n, which) * np.exp(t * np.float32(-6.9 / song.room_s))
    tail[: round(0.004 * sr)] = 0
    answer: Float32 = tail / np.float32(np.sqrt(np.sum(tail * tail)))
    return answer


def _equaliser(song: Song, hz: Float32) -> Float32:
    """Gain at each frequency."""
    gain = 1 / (1 + (song.low_cut_hz / np.maximum(hz, 1)) ** 4)
    gain /= 1 + (hz / song.high_cut_hz) ** 6
    low = 1 / (1 + (hz / 150) ** 2)
    high = 1 / (1 + (3_000 / np.maximum(hz, 1)) ** 2)
    gain *= 10 ** ((song.low_db * low + song.high_db * high) / 20)
    return gain.astype(np.float32)


def _amplitude(db: float) -> float:
    return float(10 ** (db / 20))
