"""Many songs, of which some are broken and some hang: these are named, all others answered."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from audio_makers import chord, encoded
from fleet_makers import HANG
from soak.fleet_processes import await_success, end, start

from genrescope.fleet.merge import merge
from genrescope.fleet.plan import write_plan
from genrescope.fleet.store import open_folder

BROKEN, HANGING = 0.02, 0.01
"""Shares of the songs."""
_MOST_S = 1_800.0


@dataclass
class Breakage:
    """What became of the songs.

    Attributes:
        n_songs, n_broken, n_hanging: how many there were.
        answered: songs that have an answer.
        errors: songs without one, by code.
        wrong: what a song should not have got.
    """

    n_songs: int
    n_broken: int
    n_hanging: int
    answered: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def break_songs(
    bundle: Path, folder: Path, *, engine: str, n_songs: int, shard_size: int = 50, workers: int = 2
) -> Breakage:
    """Classify files of a second, with a decoder that hangs on some (it is given 3 s)."""
    music = folder / "music"
    music.mkdir(parents=True)
    found = Breakage(n_songs, round(BROKEN * n_songs), round(HANGING * n_songs))
    good = encoded("wav16", chord(1.0), 22_050)
    bad = (b"", b"no music at all", b"<html>gone</html>" * 100, good[:44], b"fLaC" + bytes(500))
    order = [f"{i:06d}.wav" for i in np.random.default_rng(0).permutation(n_songs)]
    broken = dict(zip(order[: found.n_broken], itertools.cycle(bad), strict=False))
    hanging = dict.fromkeys(order[found.n_broken :][: found.n_hanging], HANG)
    for name in order:
        (music / name).write_bytes((broken | hanging).get(name, good))
    write_plan(str(music), folder / "plan", shard_size=shard_size)
    job = start(folder, engine, workers, folder / "out", bundle, "fragile")
    try:
        await_success(job, _MOST_S)
    finally:
        end(job)
    dataset = merge(open_folder(folder / "out"), folder / "dataset")
    (table,) = dataset.glob("songs-*.parquet")
    rows = pq.read_table(table).to_pylist()
    if [row["id"] for row in rows] != sorted(order):
        found.wrong.append("the rows are not the songs")
    for row in rows:
        name, code = row["id"], row["error_code"]
        expected = "unreadable" if name in broken else "timeout" if name in hanging else None
        found.answered += code is None
        found.errors.update([code] if code else [])
        if code != expected or (code is None) != (row["probabilities"] is not None):
            found.wrong.append(f"{name}: {code}: {row['error']}")
        elif code is not None and name not in row["error"]:
            found.wrong.append(f"{name} is not named: {row['error']}")
    return found
