"""Plans, and steps that stand in for a model, for tests of many machines; workers import it."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import numpy as np

from genrescope.fleet.plan import Song
from genrescope.fleet.rows import Answer
from genrescope.fleet.step import SongStep
from genrescope.model import isolation
from genrescope.model.bundle import Bundle
from genrescope.sandbox import Sandbox
from genrescope.sandbox_worker import Handler, Job, Reply

N_CLASSES = 10
START = 1_700_000_000.0
"""When the run that is half done began, s since 1970."""


class NullStep:
    """Answers from a song's name alone, as a net that does nothing would."""

    def __init__(self, bundle: Bundle) -> None:
        self._labels = bundle.labels

    def __call__(self, song: Song) -> Answer:
        digest = np.frombuffer(hashlib.sha256(song.id.encode()).digest(), np.uint8)
        if digest[31] < 5:
            return Answer.failed(song.id, "unreadable", f"{song.id}: made to fail.")
        weights = digest[:N_CLASSES] + 1.0
        probabilities = (weights / weights.sum()).astype(np.float16)
        best = int(probabilities.argmax())
        return Answer(
            id=song.id,
            genre=self._labels[best],
            probabilities=probabilities,
            set=(self._labels[best],),
            confidence=float(probabilities[best]),
            flags=(),
            embedding=digest[:16].view(np.int8),
            scale=0.01,
            duration_s=240.0,
        )

    def close(self) -> None:
        pass


def write_csv(path: Path, n_songs: int) -> Path:
    """A manifest of songs that are nowhere."""
    rows = [f"song-{i:08d},s3://bucket/{i:08d}.mp3,{4_000_000 + i}" for i in range(n_songs)]
    path.write_text("\n".join(["id,uri,size", *rows]) + "\n", encoding="utf-8")
    return path


def parts(folder: Path) -> dict[str, bytes]:
    """The bytes of every part of a run."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("part-*.parquet"))}


HANG, CRASH = b"this file hangs", b"this file kills"


class FragileStep(SongStep):
    """The step that classifies, with a decoder that some files hang and others kill."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle, decoding_s=3.0)
        self.decoders.sandbox.close()
        self.decoders.sandbox = Sandbox(
            "fleet_makers:fragile_handler",
            {"bundle": str(bundle.path)},
            processes=1,
            memory_bytes=2**31,
        )


def fragile_handler(bundle: str) -> Handler:
    """Decodes as ever, but for files that begin with `HANG` or `CRASH`."""
    decode = isolation.handler(bundle)

    def fragile(job: Job) -> Reply:
        head = job.file.read(len(HANG))
        job.file.seek(0)
        if head == HANG:
            time.sleep(3_600)
        if head == CRASH:
            os.abort()
        return decode(job)

    return fragile
