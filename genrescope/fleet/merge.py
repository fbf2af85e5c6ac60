"""One dataset of all parts, and for many songs an index of what sounds alike."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from genrescope.errors import FleetError
from genrescope.files import PARTIAL
from genrescope.fleet import neighbours
from genrescope.fleet.plan import Plan, Shard, read_plan
from genrescope.fleet.rows import SCHEMA
from genrescope.fleet.run import missing
from genrescope.fleet.shard import read_run
from genrescope.fleet.store import Folder
from genrescope.progress import Progress, no_progress

ROWS_A_FILE = 2**20
INDEX_FROM = 1_000_000
"""Songs from which on an index is worth its time; below, all can be compared at once."""


def merge(
    parts: Folder,
    out: str | os.PathLike[str],
    *,
    index_from: int = INDEX_FROM,
    progress: Progress = no_progress,
) -> Path:
    """Write all answers of a finished run, in the order of the manifest.

    ``songs-*.parquet`` hold the rows, ``embeddings.npy`` and ``scales.npy`` their vectors in the
    same order, ``neighbours.faiss`` the index, ``dataset.json`` what they are of.

    Args:
        parts: folder of the run.
        out: the new folder, on a disk; it is complete or absent.
        index_from: songs from which on an index is made.
        progress: told songs.

    Raises:
        FleetError: the run is not finished, ``out`` exists, or a part is damaged.
    """
    target = Path(out)
    if target.exists():
        raise FleetError(str(target), "it exists already", "Name a new folder.")
    plan = read_plan(parts)
    left = missing(plan, parts)
    if left:
        raise FleetError(
            parts.url,
            f"{len(left)} of {len(plan.shards)} shards have no answers yet",
            "Give fleet run again until none is left.",
        )
    run = read_run(parts)
    part = target.with_name(f"{target.name}.{os.urandom(4).hex()}{PARTIAL}")
    part.mkdir(parents=True)
    try:
        errors = _write_rows(plan, parts, part, progress)
        if plan.n_songs >= index_from:
            progress(plan.n_songs, plan.n_songs, "index")
            neighbours.build(part)
        facts = run | {"songs": plan.n_songs, "errors": errors}
        Path(part, "dataset.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        part.replace(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return target


def _write_rows(plan: Plan, parts: Folder, out: Path, progress: Progress) -> int:
    """Rows and vectors; how many songs have none."""
    schema = SCHEMA.with_metadata(None)
    writer: pq.ParquetWriter | None = None
    vectors: neighbours.VectorWriter | None = None
    n_rows = n_files = n_errors = 0
    try:
        for shard in plan.shards:
            table = _part(parts, shard)
            if writer is None or n_rows // ROWS_A_FILE >= n_files:
                if writer is not None:
                    writer.close()
                writer = pq.ParquetWriter(
                    out / f"songs-{n_files:05d}.parquet", schema, compression="zstd"
                )
                n_files += 1
            writer.write_table(table.replace_schema_metadata(None))
            if vectors is None:
                vectors = neighbours.VectorWriter(out, plan.n_songs)
            vectors.add(table["embedding"], table["embedding_scale"])
            n_errors += table.num_rows - table["error_code"].null_count
            n_rows += table.num_rows
            progress(n_rows, plan.n_songs, shard.part)
    finally:
        if writer is not None:
            writer.close()
    return n_errors


def _part(parts: Folder, shard: Shard) -> pa.Table:
    try:
        with parts.open(shard.part) as file:
            table = pq.read_table(file)
        if table.num_rows != shard.n_songs or not table.schema.equals(SCHEMA):
            raise pa.ArrowInvalid("it has other rows than the plan")
    except (pa.ArrowException, OSError) as error:
        raise FleetError(
            f"{parts.url}/{shard.part}",
            f"it is damaged ({error})",
            "Remove it and give fleet run again.",
        ) from error
    return table
