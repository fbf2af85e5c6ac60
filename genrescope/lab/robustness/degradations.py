"""What happens to music between a studio and a classifier: rooms, microphones, noise, codecs.

Every degradation takes samples float32 (n_samples,), their rate in Hz and a generator, and gives
samples back: as many, but for a change of speed; (n_samples, 2) where it makes stereo. The same
generator state gives the same sound. Signal-to-noise ratios are of powers over the whole clip.

Rooms are simulated (`sounds.room_response`), microphones are curves of the usual shape with a
chance of their own, voices are made (`sounds.babble`): no measured or recorded data is needed.
The kinds follow Mauch and Ewert 2013, "The Audio Degradation Toolbox".
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy import signal

from genrescope.audio.decode import decode
from genrescope.errors import GenrescopeError
from genrescope.lab import sounds

Array = NDArray[Any]
Rng = np.random.Generator
Degradation = Callable[[Array, int, Rng], Array]

CLEAN = "clean"
_PEAK = 0.99


def room(x: Array, sr: int, rng: Rng, *, rt60_s: float, direct_db: float) -> Array:
    """As heard across a room that fades by 60 dB in ``rt60_s``."""
    return _within(sounds.in_room(x, sr, rt60_s=rt60_s, direct_db=direct_db, rng=rng))


def microphone(x: Array, sr: int, rng: Rng, *, curve: Mapping[float, float]) -> Array:
    """Through a microphone's response: ``curve`` is Hz -> dB, each give or take 1.5 dB."""
    hz = np.array([0.0, *curve, max(*curve, sr / 2) + 1])
    db = np.array([-60.0, *curve.values(), list(curve.values())[-1]])
    db[1:] += rng.uniform(-1.5, 1.5, len(db) - 1)
    grid = np.linspace(0, sr / 2, 257)
    taps = signal.firwin2(1025, grid, 10 ** (np.interp(grid, hz, db) / 20), fs=sr)
    return _within(signal.fftconvolve(x, taps, mode="same"))


def band(x: Array, sr: int, rng: Rng, *, low_hz: float, high_hz: float) -> Array:
    """Only what lies between two frequencies, without delay."""
    top = min(high_hz, 0.49 * sr)
    if low_hz:
        sos = signal.butter(4, (low_hz, top), "bandpass", fs=sr, output="sos")
    else:
        sos = signal.butter(8, top, fs=sr, output="sos")
    return _within(signal.sosfiltfilt(sos, x, padlen=min(200, len(x) - 1)))


def with_noise(x: Array, sr: int, rng: Rng, *, snr_db: float, voices: bool = False) -> Array:
    """Under pink noise, or under voices that talk at once."""
    if voices:
        pool = _babble(sr)
        other = np.roll(pool[rng.integers(len(pool))], rng.integers(sr))
        other = np.resize(other, len(x))
    else:
        other = sounds.coloured_noise(len(x), sr, slope=1.0, rng=rng)
    loudness = np.sqrt(np.mean(np.square(x, dtype=float))) * 10 ** (-snr_db / 20)
    return _within(x + sounds.levelled(other, loudness))


def clipping(x: Array, sr: int, rng: Rng, *, share: float) -> Array:
    """Played too loud: so large a share of the samples is cut off."""
    top = max(float(np.quantile(np.abs(x), 1 - share)), 1e-6)
    return _plain(np.clip(x / top, -1, 1) * _PEAK)


def gain(x: Array, sr: int, rng: Rng, *, db: float) -> Array:
    """Louder or softer; what leaves -1 to 1 is cut off, as a file would."""
    return _plain(np.clip(np.asarray(x, float) * 10 ** (db / 20), -1, 1))


def speed(x: Array, sr: int, rng: Rng, *, factor: float) -> Array:
    """Tape or turntable too fast: shorter by ``factor``, and as much higher."""
    return _within(soxr.resample(np.asarray(x, np.float32), sr * factor, sr))


def stereo(x: Array, sr: int, rng: Rng) -> Array:
    """Two channels, the second a decorrelated copy, 3 dB weaker and up to 15 ms late."""
    other = sounds.in_room(x, sr, rt60_s=0.03, direct_db=0.0, rng=rng) * 10 ** (-3 / 20)
    late = min(int(rng.uniform(0, 0.015) * sr), len(x) - 1)
    other = np.concatenate([np.zeros(late, np.float32), other[: len(x) - late]])
    return _within(np.stack([x, other], axis=1))


def dropout(x: Array, sr: int, rng: Rng, *, seconds: float) -> Array:
    """A gap of silence, of half the clip at most."""
    length = min(round(seconds * sr), len(x) // 2)
    start = int(rng.integers(0, len(x) - length + 1))
    out = np.array(x, np.float32)
    out[start : start + length] = 0
    return out


def silence(x: Array, sr: int, rng: Rng, *, before: float = 0.0, after: float = 0.0) -> Array:
    """Seconds of nothing around the recording, as when Start is pressed too early."""
    return _plain(np.pad(x, (round(before * sr), round(after * sr))))


def pop(x: Array, sr: int, rng: Rng, *, db: float, seconds: float = 0.007) -> Array:
    """One click of a plug or switch, so far over the music's peak that this is turned down."""
    n = min(round(seconds * sr), len(x))
    click = rng.standard_normal(n) * np.exp(-6 * np.arange(n) / n)
    return _struck(x, click, rng, db=db)


def thump(x: Array, sr: int, rng: Rng, *, db: float, seconds: float = 0.05) -> Array:
    """A knock on the microphone or its stand, so far over the music's peak."""
    n = min(round(seconds * sr), len(x))
    knock = np.sin(2 * np.pi * rng.uniform(50, 120) * np.arange(n) / sr) * np.hanning(n + 2)[1:-1]
    return _struck(x, knock, rng, db=db)


def _struck(x: Array, event: Array, rng: Rng, *, db: float) -> Array:
    out = np.array(x, float)
    start = int(rng.integers(0, len(x) - len(event) + 1))
    peak = float(np.abs(x).max()) * 10 ** (db / 20)
    out[start : start + len(event)] += peak * event / max(float(np.abs(event).max()), 1e-9)
    return _within(out)


def offset(x: Array, sr: int, rng: Rng, *, db: float) -> Array:
    """On a constant so far over the music, as cheap recorders leave it."""
    return _within(x + np.std(x, dtype=float) * 10 ** (db / 20))


def codec(x: Array, sr: int, rng: Rng, *, name: str) -> Array:
    """Encoded and decoded again, as long as before; a codec may shift it by some milliseconds."""
    back = decode(encode(x, sr, name), sr=sr, name=name).samples
    return _plain(np.pad(back[: len(x)], (0, max(0, len(x) - len(back)))))


def phone_in_room(x: Array, sr: int, rng: Rng) -> Array:
    """A living room: its reverberation, faint noise, and a phone that records it."""
    x = room(x, sr, rng, rt60_s=0.5, direct_db=0)
    x = with_noise(x, sr, rng, snr_db=20)
    return microphone(x, sr, rng, curve=PHONE_HZ_DB)


PHONE_HZ_DB: dict[float, float] = {
    60: -30,
    120: -14,
    250: -4,
    500: 0,
    1000: 0,
    3000: 3,
    6000: 6,
    9000: 2,
    11000: -6,
}
"""A phone: little bass, a peak where its port resonates."""
LAPTOP_HZ_DB: dict[float, float] = {
    60: -40,
    150: -18,
    300: -8,
    600: 0,
    1200: -4,
    2400: 4,
    4000: -2,
    7000: 3,
    11000: -8,
}
"""A laptop: less bass still, and ripples of its case."""

DEGRADATIONS: dict[str, Degradation] = {
    "small room": partial(room, rt60_s=0.4, direct_db=0),
    "hall": partial(room, rt60_s=1.8, direct_db=-3),
    "phone microphone": partial(microphone, curve=PHONE_HZ_DB),
    "laptop microphone": partial(microphone, curve=LAPTOP_HZ_DB),
    "phone in a room": phone_in_room,
    "telephone band": partial(band, low_hz=300, high_hz=3400),
    "lowpass 4 kHz": partial(band, low_hz=0, high_hz=4000),
    "pink noise 20 dB": partial(with_noise, snr_db=20),
    "pink noise 10 dB": partial(with_noise, snr_db=10),
    "pink noise 5 dB": partial(with_noise, snr_db=5),
    "babble 20 dB": partial(with_noise, snr_db=20, voices=True),
    "babble 10 dB": partial(with_noise, snr_db=10, voices=True),
    "babble 5 dB": partial(with_noise, snr_db=5, voices=True),
    "clipping": partial(clipping, share=0.05),
    "gain -40 dB": partial(gain, db=-40),
    "gain -20 dB": partial(gain, db=-20),
    "gain +10 dB": partial(gain, db=10),
    "mp3 64 kb/s": partial(codec, name="mp3"),
    "opus 24 kb/s": partial(codec, name="opus"),
    "aac 64 kb/s": partial(codec, name="aac"),
    "speed -3 %": partial(speed, factor=0.97),
    "speed +3 %": partial(speed, factor=1.03),
    "stereo": stereo,
    "dropout 1 s": partial(dropout, seconds=1.0),
    "silence 5 s before": partial(silence, before=5.0),
    "silence 10 s after": partial(silence, after=10.0),
    **{f"pop {db} dB over the peak": partial(pop, db=db) for db in (20, 30, 40)},
    **{f"thump {db} dB over the peak": partial(thump, db=db) for db in (20, 30, 40)},
    **{f"offset {db} dB over the music": partial(offset, db=db) for db in (10, 20, 30)},
}

RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
"""What both mp3 and AAC can be of, Hz."""
CODECS: dict[str, tuple[str, str, str, tuple[int, ...], int]] = {
    "mp3": ("mp3", "libmp3lame", "fltp", RATES, 64_000),
    "opus": ("ogg", "libopus", "flt", (48_000,), 24_000),
    "aac": ("adts", "aac", "fltp", RATES, 64_000),
}
"""Container, FFmpeg's encoder, its sample format, the rates it takes, bits per second."""


def encode(x: Array, sr: int, name: str) -> bytes:
    """A file of one of `CODECS` that holds the samples (n_samples,), of the next rate it takes.

    Raises:
        GenrescopeError: PyAV comes without that encoder.
    """
    import av
    from av.codec.codec import UnknownCodecError

    container, encoder, layout, rates, bit_rate = CODECS[name]
    rate = next((higher for higher in rates if higher >= sr), rates[-1])
    if rate != sr:
        x = soxr.resample(np.asarray(x, np.float32), sr, rate)
    file = io.BytesIO()
    try:
        with av.open(file, "w", format=container) as out:
            stream: Any = out.add_stream(encoder, rate=rate, layout="mono")
            stream.bit_rate = bit_rate
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(x, np.float32)[None], format=layout, layout="mono"
            )
            frame.sample_rate, frame.pts = rate, 0
            resampler = av.AudioResampler(stream.format, "mono", rate, stream.frame_size or None)
            for part in [*resampler.resample(frame), *resampler.resample(None), None]:
                out.mux(stream.encode(part))
    except UnknownCodecError:
        raise GenrescopeError(f"this PyAV has no encoder {encoder}; install its wheel.") from None
    return file.getvalue()


def as_file(name: str, x: Array, sr: int, rng: Rng) -> bytes:
    """The degraded sound as someone would send it: of its codec, else a 16-bit WAV.

    Args:
        name: of `DEGRADATIONS`, or `CLEAN`.
    """
    change = DEGRADATIONS.get(name)
    if isinstance(change, partial) and change.func is codec:
        return encode(x, sr, change.keywords["name"])
    file = io.BytesIO()
    changed = x if change is None else change(x, sr, rng)
    soundfile.write(file, changed, sr, format="WAV", subtype="PCM_16")
    return file.getvalue()


@lru_cache(maxsize=4)
def _babble(sr: int) -> tuple[Array, ...]:
    """Half a minute of voices in three pieces: enough to draw from, and slow to make."""
    rng = np.random.default_rng(2013)
    return tuple(sounds.babble(10 * sr, sr, voices=6, rng=rng) for _ in range(3))


def _plain(x: Any) -> Array:
    return np.asarray(x, np.float32)


def _within(x: Any) -> Array:
    """Turned down where it would leave -1 to 1."""
    return _plain(x / max(1.0, float(np.abs(x).max()) / _PEAK))
