"""``python -m benchmarks.fleet_scale``: what docs/fleet.md says of very many songs, measured.

``manifest`` plans a made table, and has a driver and ``status`` go through the plan: how much
memory each takes. ``neighbours`` looks for what is nearest among made vectors, with the index and
without.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.collection_scale import Figure
from benchmarks.fleet import NoStep, catalogue_embeddings
from benchmarks.harness import Session
from genrescope.fleet import neighbours
from genrescope.fleet.manifest import SCHEMA
from genrescope.fleet.plan import Shard, read_plan
from genrescope.fleet.run import run
from genrescope.fleet.shard import Model, ShardJob
from genrescope.fleet.store import open_folder
from genrescope.model.bundle import Bundle
from genrescope.model.quantised import quantised
from genrescope.system import n_cores

MOST_MB = 1_000
_ROW_GROUP = 2**20
_QUERIES = 100
_BLOCK = 2**16


def main(arguments: list[str] | None = None) -> None:
    """Entry point; see ``--help``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet_scale", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    manifest = verbs.add_parser("manifest", help="memory of plan, run and status")
    manifest.add_argument("--rows", type=int, default=82_000_000)
    manifest.add_argument("--shard", type=int, default=2_000, help="songs in a shard")
    near = verbs.add_parser("neighbours", help="recall and time of the index")
    near.add_argument("--songs", type=int, default=1_000_000)
    near.add_argument(
        "--noise",
        type=float,
        default=0.5,
        help="length of what is added to directions between songs; with half, the nearest of as "
        "many are as near as the nearest songs of the bundle's catalogue",
    )
    for verb in (manifest, near):
        verb.add_argument("--folder", type=Path, help="for what is made, which goes at the end")
    chosen = parser.parse_args(arguments)
    load = f"load {os.getloadavg()[0]:.1f} on {n_cores()} cores at the start"
    print(f"{datetime.date.today().isoformat()}, {load}")
    print("\n| what | value | goal | met |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="genrescope-scale-", dir=chosen.folder) as temporary:
        folder = Path(temporary)
        figures = (
            planning(folder, chosen.rows, chosen.shard)
            if chosen.verb == "manifest"
            else searching(folder, chosen.songs, chosen.noise)
        )
        for figure in figures:
            met = "" if figure.met is None else "yes" if figure.met else "no"
            print(f"| {figure.what} | {figure.value} | {figure.goal} | {met} |", flush=True)


def planning(folder: Path, n_rows: int, shard_size: int) -> Iterator[Figure]:
    """Plan a made manifest; drive its shards by both engines, doing nothing; ask for the status."""
    session = Session(folder, repeats=1, quick=False, bundle=None)
    table, plan, out = folder / "songs.parquet", folder / "plan", folder / "out"
    # In a process of its own: a child's peak memory is at least what its parent had at its start.
    write = "import sys; from benchmarks.fleet_scale import write_manifest as f; f(*sys.argv[1:])"
    session.process([sys.executable, "-c", write, str(table), str(n_rows)])
    size = f"{table.stat().st_size / 1e9:.2f} GB"
    verb = session.genrescope(
        *("fleet", "plan", str(table), "--out", str(plan), "--shard", str(shard_size))
    )
    shards = f"{-(-n_rows // shard_size):,} shards"
    yield _measured(session, f"plan of {n_rows:,} rows ({size}), {shards}", verb)
    table.unlink()
    drive = "import sys; from benchmarks.fleet_scale import drive; drive(*sys.argv[1:])"
    for engine in ("local", "ray"):
        command = [sys.executable, "-c", drive, engine, str(plan), str(out)]
        yield _measured(session, f"run of all shards by {engine}, each doing nothing", command)
    link = "import sys; from benchmarks.fleet_scale import link_parts; link_parts(*sys.argv[1:])"
    session.process([sys.executable, "-c", link, str(plan), str(out)])
    verb = session.genrescope("fleet", "status", str(out))
    yield _measured(session, "status of a finished run", verb)


def _measured(session: Session, what: str, command: list[str]) -> Figure:
    found = session.process(command)
    value = f"{found.peak_mb:.0f} MB; {found.wall_s:.0f} s, {found.cpu_s:.0f} s of processor"
    return Figure(what, value, f"<= {MOST_MB} MB", found.peak_mb <= MOST_MB)


def write_manifest(path: str, rows: str) -> None:
    """Rows as an object store's inventory has them; ETags are random, and cannot be compressed."""
    rng, n_rows = np.random.default_rng(0), int(rows)
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for start in range(0, n_rows, _ROW_GROUP):
            n = min(_ROW_GROUP, n_rows - start)
            number = pc.utf8_lpad(pa.array(np.arange(start, start + n)).cast(pa.string()), 8, "0")
            name = pc.binary_join_element_wise(pc.utf8_slice_codeunits(number, 5), number, "/")
            uri = pc.binary_join_element_wise("s3://bucket", name, "/")
            uri = pc.binary_join_element_wise(uri, "mp3", ".")
            size = pa.array(rng.integers(4_000_000, 12_000_000, n))
            columns = [name, uri, size, _hexadecimal(rng.bytes(16 * n))]
            writer.write_table(pa.Table.from_arrays(columns, schema=SCHEMA))


def _hexadecimal(data: bytes) -> pa.Array:
    """A column of strings of 32 digits."""
    offsets = np.arange(0, 2 * len(data) + 1, 32, dtype=np.int32)
    buffers = [pa.py_buffer(offsets), pa.py_buffer(data.hex().encode())]
    return pa.StringArray.from_buffers(len(offsets) - 1, *buffers)


def drive(engine: str, plan: str, out: str) -> None:
    """Have an engine go through a plan, its workers doing nothing (a process of its own)."""
    from genrescope.fleet.engines import local, ray

    map_shards = {"local": local.map_shards, "ray": ray.map_shards}[engine]
    report = run(
        open_folder(plan),
        open_folder(out),
        Bundle.load(),
        lambda _, shards: map_shards(nothing, shards, workers=2),
    )
    if report.failed or not report.done:
        sys.exit(1)


def nothing(shard: Shard) -> None:
    """What `drive` has done with a shard."""


def link_parts(plan: str, out: str) -> None:
    """A part for each shard: one that is written, and links to it."""
    bundle = Bundle.load()
    folders = open_folder(plan), open_folder(out)
    made = read_plan(folders[0])
    job = ShardJob(*folders, made.sha256, Model.of(bundle), make_step=NoStep)
    job(made.shards[0])
    for shard in made.shards[1:]:
        os.link(Path(out, made.shards[0].part), Path(out, shard.part))


def searching(folder: Path, n_songs: int, noise: float) -> Iterator[Figure]:
    """Build the index and ask it; what comes is compared with comparing all."""
    embeddings = catalogue_embeddings(Bundle.load())
    make = functools.partial(_vectors, embeddings, noise)
    writer = neighbours.VectorWriter(folder, n_songs)
    rng = np.random.default_rng(0)
    for start in range(0, n_songs, _BLOCK):
        vectors = make(rng, min(_BLOCK, n_songs - start))
        rows, scales = zip(*map(quantised, vectors), strict=True)
        writer.add(_column(np.array(rows)), pa.chunked_array([pa.array(scales, pa.float32())]))
    del writer
    began = time.perf_counter(), time.process_time()
    neighbours.build(folder)
    seconds, core_s = time.perf_counter() - began[0], time.process_time() - began[1]
    size = (folder / neighbours.INDEX).stat().st_size / 1e6
    what = f"index of {n_songs:,} vectors of {embeddings.shape[1]} numbers, noise {noise:g}"
    yield Figure(what, f"{seconds:.0f} s, {core_s:.0f} s of processor, {size:.0f} MB")
    near = neighbours.Neighbours(folder)
    queries = make(rng, _QUERIES)
    found, taken = zip(*(_timed(near.nearest, query) for query in queries), strict=True)
    true, taken_exact = zip(*(_timed(near.exact, query) for query in queries), strict=True)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, true, strict=True)])
    yield Figure("recall at 10, exact re-ranking", f"{recall:.3f}")
    yield Figure("ms for a question, median", f"{1_000 * statistics.median(taken):.2f}")
    yield Figure("ms by comparing all, median", f"{1_000 * statistics.median(taken_exact):.0f}")


def _vectors(
    embeddings: NDArray[np.float32], level: float, rng: np.random.Generator, n: int
) -> NDArray[np.float32]:
    """Directions between two songs of the bundle's catalogue, float32 (n, d), with noise."""
    a, b = (embeddings[rng.integers(0, len(embeddings), n)] for _ in range(2))
    share = rng.random((n, 1), np.float32)
    noise = rng.standard_normal(a.shape, np.float32) / np.sqrt(np.float32(a.shape[1]))
    made = share * a + (1 - share) * b + np.float32(level) * noise
    directions: NDArray[np.float32] = made / np.linalg.norm(made, axis=1, keepdims=True)
    return directions


def _column(rows: NDArray[np.int8]) -> pa.ChunkedArray:
    offsets = np.arange(0, rows.size + 1, rows.shape[1], dtype=np.int32)
    return pa.chunked_array([pa.ListArray.from_arrays(offsets, rows.ravel())])


Search = Callable[[NDArray[np.float32], int], tuple[NDArray[np.int64], NDArray[np.float32]]]


def _timed(search: Search, query: NDArray[np.float32]) -> tuple[NDArray[np.int64], float]:
    began = time.perf_counter()
    rows, _ = search(query, 10)
    return rows, time.perf_counter() - began


if __name__ == "__main__":
    main()
