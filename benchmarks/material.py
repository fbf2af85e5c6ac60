"""The recordings that are measured: 44.1 kHz stereo music in the formats people have.

Made from the eight clips of `../shared/data/clips` (cut, looped, encoded again), or from
synthesised music where they are absent. Runs in a worker, so that what it loads is gone before
anything is measured.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.harness import ROOT, Session, Worker

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]  # (n_samples, 2)

CLIPS = ROOT.parent / "shared" / "data" / "clips"
SR = 44_100
FORMATS: dict[str, tuple[str, str, int]] = {
    "mp3": ("mp3", "libmp3lame", 128_000),
    "flac": ("flac", "flac", 0),
    "m4a": ("ipod", "aac", 128_000),
    "webm": ("webm", "libopus", 96_000),
    "wav": ("wav", "pcm_s16le", 0),
    "opus": ("ogg", "libopus", 96_000),
    "ogg": ("ogg", "vorbis", 128_000),
}
"""Ending: FFmpeg's container and codec, bits a second."""
_DISTINCT = 20  # recordings that differ; a folder of 200 holds each ten times


def recordings(session: Session, seconds: float, *, ending: str = "mp3", n: int = 1) -> list[str]:
    """Paths of ``n`` recordings of that length and format, made where they are not yet there."""
    key = f"{seconds:g}s-{n}.{ending}"
    if key not in session.made:
        with Worker(
            session,
            "benchmarks.material:maker",
            folder=str(session.folder / key.replace(".", "-")),
            seconds=seconds,
            ending=ending,
            n=n,
        ) as worker:
            session.made[key] = worker().value
    paths: list[str] = session.made[key]
    return paths


def long_recording(session: Session, seconds: float) -> str:
    """Path of one mp3 of that length, however long: a short one's frames over and over."""
    key = f"long-{seconds:g}"
    if key not in session.made:
        piece_s = min(seconds, 2.0 if session.quick else 240.0)
        (piece,) = recordings(session, piece_s)
        path = session.folder / f"{key}.mp3"
        frames = Path(piece).read_bytes()
        with path.open("wb") as file:
            for _ in range(round(seconds / piece_s)):
                file.write(frames)
        session.made[key] = str(path)
    found: str = session.made[key]
    return found


def maker(folder: str, seconds: float, ending: str, n: int) -> Callable[[], list[str]]:
    """Writes recordings; returns their paths."""

    def make() -> list[str]:
        target = Path(folder)
        target.mkdir(parents=True)
        paths = [target / f"{i:04d}.{ending}" for i in range(n)]
        music = _music()
        for i, path in enumerate(paths):
            if i < _DISTINCT:
                _encode(path, next(music), seconds, ending)
            else:
                os.link(paths[i % _DISTINCT], path)
        return [str(path) for path in paths]

    return make


def _music() -> Iterator[Samples]:
    """Music without end, one piece after the other, each time from another place."""
    import numpy as np

    from genrescope.audio.decode import decode_channels

    files = sorted(p for p in CLIPS.glob("*.*") if p.suffix in (".ogg", ".mp3"))
    rng = np.random.default_rng(0)
    pieces = []
    for file in files:
        channels, sr = decode_channels(file)
        if sr == SR and channels.shape[1] == 2:
            pieces.append(channels)
    if not pieces:
        pieces = [_synthesised(rng)]
    while True:
        for piece in pieces:
            yield np.roll(piece, -int(rng.integers(len(piece))), axis=0)


def _synthesised(rng: np.random.Generator, seconds: float = 60.0) -> Samples:
    """Chords struck twice a second over noise like a snare's: as hard to encode as a band."""
    import numpy as np

    t = np.arange(round(seconds * SR)) / SR
    beat = np.exp(-6 * (t % 0.5))
    left = np.zeros(len(t))
    for start in range(0, len(t), 2 * SR):
        part = slice(start, start + 2 * SR)
        for hz in 110 * 2 ** (rng.integers(0, 36, 5) / 12):
            for k in range(1, 7):
                left[part] += np.sin(2 * np.pi * k * hz * t[part]) / k
    left = 0.05 * left * beat + 0.1 * beat * rng.standard_normal(len(t))
    right = 0.7 * left + 0.03 * rng.standard_normal(len(t))
    return np.stack([left, right], axis=1).clip(-1, 1).astype(np.float32)


def _encode(path: Path, music: Samples, seconds: float, ending: str) -> None:
    import av
    import numpy as np

    container, codec, bit_rate = FORMATS[ending]
    # A plain row of frames that stand alone, so that mp3 files can be joined end to end.
    options = {"write_xing": "0", "id3v2_version": "0"} if ending == "mp3" else {}
    with av.open(str(path), "w", format=container, options=options) as output:
        own = {"mp3": {"reservoir": "0"}, "ogg": {"strict": "experimental"}}
        coding: dict[str, Any] = {"options": own[ending]} if ending in own else {}
        rate = 48_000 if codec == "libopus" else SR
        stream: Any = output.add_stream(codec, rate=rate, layout="stereo", **coding)
        if bit_rate:
            stream.bit_rate = bit_rate
        stream.time_base = Fraction(1, rate)
        length = round(seconds * SR)
        for start in range(0, length, SR):
            places = np.arange(start, min(start + SR, length)) % len(music)
            packed = np.ascontiguousarray(music[places]).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(packed, format="flt", layout="stereo")
            frame.sample_rate, frame.pts = SR, start
            frame.time_base = Fraction(1, SR)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
