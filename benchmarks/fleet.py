"""``python -m benchmarks.fleet``: what a song costs here, for ``genrescope fleet cost``.

Writes genrescope/fleet/figures.json. Processor time counts, of this process and of the decoder's,
so that a busy machine disturbs little; the start is on the clock, as a user waits for it.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import machine
from benchmarks.harness import ROOT, Session
from benchmarks.material import recordings
from genrescope.fleet.cost import Figures
from genrescope.fleet.plan import SHARD_SIZE, Song, read_plan, read_shard, write_plan
from genrescope.fleet.rows import Answer, encode
from genrescope.fleet.shard import Model, ShardJob
from genrescope.fleet.step import SongStep
from genrescope.fleet.store import open_folder
from genrescope.model.bundle import Bundle
from genrescope.model.quantised import quantised

SONG_S = 240.0
_DISTINCT = 2  # songs that differ; each is decoded anew
_OUT = ROOT / "genrescope" / "fleet" / "figures.json"


def main() -> None:
    """Entry point; see ``--help``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--songs", type=int, default=6, help="how many are classified")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--out", type=Path, default=_OUT)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="genrescope-fleet-") as temporary:
        figures = measure(Path(temporary), chosen.songs, chosen.repeats)
    text = json.dumps(vars(figures), indent=1) + "\n"
    chosen.out.write_text(text, encoding="utf-8")
    print(text, end="")


def measure(folder: Path, n_songs: int, repeats: int) -> Figures:
    """Everything that `Figures` holds, measured here with the bundle that ships."""
    bundle = Bundle.load()
    session = Session(folder, repeats, quick=False, bundle=None)
    paths = recordings(session, SONG_S, n=_DISTINCT)
    songs = [Song(str(i), paths[i % _DISTINCT], None, None) for i in range(n_songs)]
    core_s, starts = [], []
    for _ in range(repeats):
        began = time.perf_counter()
        idle_s = _core_s(lambda: _classify(bundle, songs[:1]))
        starts.append(time.perf_counter() - began)
        core_s.append((_core_s(lambda: _classify(bundle, songs)) - idle_s) / (n_songs - 1))
    plan, shard_s = _shard(folder, bundle, repeats)
    facts = machine.facts()
    return Figures(
        core_s=round(statistics.median(core_s), 4),
        song_s=SONG_S,
        row_bytes=round(_row_bytes(bundle), 1),
        manifest_bytes=round(plan, 1),
        shard_s=round(shard_s, 3),
        start_s=round(statistics.median(starts) - statistics.median(core_s), 2),
        machine=facts["machine"],
        date=facts["date"],
        versions=facts["versions"],
    )


def _classify(bundle: Bundle, songs: list[Song]) -> None:
    step = SongStep(bundle)
    try:
        failed = [answer.error for answer in map(step, songs) if answer.error is not None]
    finally:
        step.close()  # waits for the decoder's process, whose time counts from then on
    if failed:
        raise RuntimeError(failed[0])


def _core_s(work: Callable[[], object]) -> float:
    """Seconds of processor that something takes, processes that it ends included."""
    before = _used_s()
    work()
    return _used_s() - before


def _used_s() -> float:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, kinds))


class NoStep:
    """Answers at once, with as many numbers as the bundle's net gives."""

    def __init__(self, bundle: Bundle) -> None:
        self._labels, self._width = bundle.labels, catalogue_embeddings(bundle).shape[1]

    def __call__(self, song: Song) -> Answer:
        return _made_up(song.id, self._labels, self._width)

    def close(self) -> None:
        pass


def _made_up(name: str, labels: Sequence[str], width: int) -> Answer:
    """An answer that compresses as badly as true ones: its numbers are all different."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(len(labels))).astype(np.float16)
    order = np.argsort(-probabilities)
    embedding, scale = quantised(rng.normal(size=width).astype(np.float32))
    return Answer(
        id=name,
        genre=labels[order[0]],
        probabilities=probabilities,
        set=tuple(labels[i] for i in order[: int(rng.integers(1, 4))]),
        confidence=float(probabilities.max()),
        flags=(),
        embedding=embedding,
        scale=scale,
        duration_s=float(rng.normal(SONG_S, 30)),
    )


def catalogue_embeddings(bundle: Bundle) -> NDArray[np.float32]:
    """Directions of the tracks that a bundle learned, float32 (n, d)."""
    with np.load(io.BytesIO(bundle.read("catalogue.npz"))) as catalogue:
        return np.asarray(catalogue["embedding"], np.float32)


def _row_bytes(bundle: Bundle) -> float:
    width = catalogue_embeddings(bundle).shape[1]
    answers = [_made_up(f"song-{i:08d}.mp3", bundle.labels, width) for i in range(SHARD_SIZE)]
    data = encode(answers, bundle="00" * 32, labels=bundle.labels, plan="00" * 32)
    return len(data) / SHARD_SIZE


def _shard(folder: Path, bundle: Bundle, repeats: int) -> tuple[float, float]:
    """Bytes of a song in a plan, and seconds of processor for a shard without songs' own."""
    rows = [
        f"s3://bucket/{i % 997:03d}/{i:08d}.mp3,{4_000_000 + i * 7919 % 999_983},"
        f"{hashlib.sha256(str(i).encode()).hexdigest()[:32]}"
        for i in range(2 * SHARD_SIZE)
    ]
    table = folder / "songs.csv"
    table.write_text("\n".join(["uri,size,etag", *rows]) + "\n", encoding="utf-8")
    write_plan(str(table), folder / "plan")
    plan_folder, out = open_folder(folder / "plan"), open_folder(folder / "out")
    plan = read_plan(plan_folder)
    size = sum(path.stat().st_size for path in (folder / "plan").rglob("*") if path.is_file())
    job = ShardJob(plan_folder, out, plan.sha256, Model.of(bundle), make_step=NoStep)
    job(plan.shards[0])  # which loads the bundle
    step = NoStep(bundle)
    songs = read_shard(plan_folder, plan.shards[1])
    answering_s = _core_s(lambda: list(map(step, songs)))
    seconds = []
    for _ in range(repeats):
        part = folder / "out" / plan.shards[1].part
        part.unlink(missing_ok=True)
        seconds.append(_core_s(lambda: job(plan.shards[1])) - answering_s)
    return size / len(rows), max(0.0, statistics.median(seconds))


if __name__ == "__main__":
    main()
