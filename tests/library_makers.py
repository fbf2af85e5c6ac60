"""Collections made on the spot: sound of our own, in tagged files of every kind."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import mutagen
import numpy as np
from audio_makers import by_ffmpeg, chord, encoded
from mutagen.aiff import AIFF
from mutagen.asf import ASF
from mutagen.dsf import DSF
from mutagen.flac import FLAC
from mutagen.id3 import TALB, TCON, TIT2, TPE1
from mutagen.monkeysaudio import MonkeysAudio
from mutagen.mp3 import MP3
from mutagen.mp4 import MP4
from mutagen.musepack import Musepack
from mutagen.oggopus import OggOpus
from mutagen.oggvorbis import OggVorbis
from mutagen.trueaudio import TrueAudio
from mutagen.wave import WAVE
from mutagen.wavpack import WavPack
from numpy.typing import NDArray

from genrescope.library.catalogue import Catalogue, quantise, touch
from genrescope.library.families import Families
from genrescope.library.playlist import Recipe, make_list
from genrescope.library.similar import similar_songs
from genrescope.library.songs import Song, by_path
from genrescope.library.vectors import Vectors
from genrescope.model.bundle import Bundle

WRITABLE = {
    "mp3": ".mp3",
    "flac": ".flac",
    "ogg": ".ogg",
    "opus": ".opus",
    "m4a": ".m4a",
    "m4a-faststart": ".m4a",
    "wav16": ".wav",
    "aiff": ".aiff",
    "wma": ".wma",
    "wv": ".wv",
    "tta": ".tta",
    "dsf": ".dsf",
    "ape": ".ape",
    "mpc": ".mpc",
}
"""Kinds of files whose tags can be written, with their endings, see `sound`."""

NOT_DECODED = ("ape", "mpc")
"""Kinds that nothing at hand encodes: what the containers hold is no sound."""

_ID3 = {"artist": TPE1, "title": TIT2, "album": TALB, "genre": TCON}
_MP4 = {"artist": "©ART", "title": "©nam", "album": "©alb", "genre": "©gen"}
_ASF = {"artist": "Author", "title": "Title", "album": "WM/AlbumTitle", "genre": "WM/Genre"}


@cache
def sound(kind: str, *, seed: int = 0, seconds: float = 1.0) -> bytes:
    """A file without tags; another seed is another sound."""
    if kind in ("dsf", "ape", "mpc"):
        return {"dsf": _dsf, "ape": _ape, "mpc": _mpc}[kind](np.random.default_rng(seed))
    samples = chord(seconds, seed=seed)
    if kind in ("wv", "tta"):
        codec, bare = {"wv": "wavpack", "tta": "tta"}[kind], {"fflags": "+bitexact"}
        return by_ffmpeg(samples, 22_050, kind, codec, bare)  # without a tag of the encoder's
    return encoded(kind, samples, 22_050)


def _dsf(rng: np.random.Generator) -> bytes:
    """A DSF file of a second of noise (Sony, "DSF File Format Specification")."""
    rate, block = 2_822_400, 4_096
    data = rng.bytes(block * 86)
    facts = struct.pack("<IIIIIIQII", 1, 0, 1, 1, rate, 1, 8 * len(data), block, 0)
    chunks = [b"fmt " + struct.pack("<Q", 12 + len(facts)) + facts]
    chunks.append(b"data" + struct.pack("<Q", 12 + len(data)) + data)
    body = b"".join(chunks)
    return b"DSD " + struct.pack("<QQQ", 28, 28 + len(body), 0) + body


def _ape(rng: np.random.Generator) -> bytes:
    """A file of Monkey's Audio 3.99 with one frame, by its header alone."""
    data = rng.bytes(4_000)
    header = struct.pack("<HHIIIHHI", 2_000, 0, 73_728, 22_050, 1, 16, 1, 22_050)
    sizes = struct.pack("<HHIIIIIII", 3_990, 0, 52, len(header), 4, 0, len(data), 0, 0)
    return b"MAC " + sizes + bytes(16) + header + struct.pack("<I", 80) + data


def _mpc(rng: np.random.Generator) -> bytes:
    """A Musepack file of stream version 7 of a second, by its header and its frames' lengths."""
    n_frames, n_bytes = 39, 400
    # The first frame's 20 bits of length stand behind 8 bits of the header.
    lengths = [8 * n_bytes - 28 << 4] + [8 * n_bytes - 20 << 12] * (n_frames - 1)
    frames = [struct.pack("<I", length) + rng.bytes(n_bytes - 4) for length in lengths]
    return b"MP+\x07" + struct.pack("<I", n_frames) + bytes(16) + b"".join(frames)


def make_song(
    path: Path, kind: str | None = None, *, seed: int = 0, seconds: float = 1.0, **tags: str
) -> Path:
    """A file of a kind (by default that of its ending) with ``artist``, ``title`` and so on."""
    chosen = kind or next(k for k, suffix in WRITABLE.items() if suffix == path.suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(sound(chosen, seed=seed, seconds=seconds))
    if tags:
        tag(path, **tags)
    return path


def tag(path: Path, **tags: str) -> None:
    """Write tags in place, as any other program does."""
    types = [MP3, FLAC, OggVorbis, OggOpus, MP4, WAVE, AIFF, ASF, TrueAudio, DSF]
    audio = mutagen.File(path, options=[*types, WavPack, MonkeysAudio, Musepack])
    if audio.tags is None:
        audio.add_tags()
    for name, value in tags.items():
        if isinstance(audio, MP3 | WAVE | AIFF | TrueAudio | DSF):
            audio.tags.add(_ID3[name](encoding=3, text=[value]))
        else:
            names = _MP4 if isinstance(audio, MP4) else _ASF if isinstance(audio, ASF) else {}
            audio[names.get(name, name.upper())] = [value]
    audio.save()


def pretend(
    catalogue: Catalogue,
    bundle: Bundle,
    name: str,
    probabilities: dict[str, float],
    *,
    embedding: NDArray[np.float32] | None = None,
    flags: tuple[str, ...] = (),
    genres: tuple[str, ...] | None = None,
) -> None:
    """Give the file of a name a judgement, as if the bundle had answered so."""
    probs = np.array([probabilities.get(label, 0.0) for label in bundle.labels], np.float32)
    best = bundle.labels[int(probs.argmax())]
    raw, scale = quantise(np.ones(16, np.float32) / 4 if embedding is None else embedding)
    number = catalogue.bundle_id(bundle)
    with catalogue.transaction() as db:
        db.execute(
            "UPDATE file SET audio = coalesce(audio, randomblob(20)) WHERE name = ?",
            (name.encode(),),
        )
        db.execute(
            "INSERT INTO judgement (audio, bundle, probabilities, genre, genres, confidence, "
            "flags, embedding, scale) SELECT audio, ?, ?, ?, ?, ?, ?, ?, ? FROM file "
            "WHERE name = ?",
            (
                number,
                probs.tobytes(),
                best,
                json.dumps((best,) if genres is None else genres),
                float(probs.max()),
                json.dumps(flags),
                raw,
                scale,
                name.encode(),
            ),
        )
        touch(db)


def tune(seed: int, seconds: float = 12.0) -> NDArray[np.float32]:
    """Notes of a scale with overtones that fade, over soft noise: float32 (n,) at 22,050 Hz."""
    rng = np.random.default_rng(seed)
    y = 0.003 * rng.standard_normal(round(seconds * 22_050))
    at = 0.0
    while at < seconds - 0.6:
        hz = 220 * 2 ** (rng.choice([0, 2, 3, 5, 7, 8, 10, 12]) / 12)
        t = np.arange(round(0.6 * 22_050)) / 22_050
        note = sum(np.sin(2 * np.pi * hz * k * t) * np.exp(-3 * k * t) / k for k in range(1, 7))
        start = round(at * 22_050)
        y[start : start + len(t)] += 0.2 * note
        at += rng.choice([0.2, 0.3, 0.4])
    return y.astype(np.float32)


@dataclass
class Collection:
    """Sixty songs on a half circle, from jazz to metal, each third of an artist of its own."""

    catalogue: Catalogue
    number: int
    families: Families
    vectors: Vectors
    paths: list[str]

    def make(self, kind: str, songs: Sequence[int] = (), **more: object) -> list[int]:
        recipe = Recipe(kind, songs=tuple(self.paths[i] for i in songs), **more)  # type: ignore[arg-type]
        return self.places(
            make_list(self.catalogue, self.number, self.families, self.vectors, recipe)
        )

    def places(self, songs: Sequence[Song]) -> list[int]:
        return [self.paths.index(song.path) for song in songs]

    def similar(self, i: int, **more: int) -> list[int]:
        song = by_path(self.catalogue, self.number, self.paths[i])
        assert song is not None
        found = similar_songs(self.catalogue, self.number, self.vectors, song, **more)
        return self.places([item.song for item in found])
