"""A plan: the songs of a manifest in shards that never change, with the SHA-256 of each."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from genrescope.errors import FleetError
from genrescope.fleet.manifest import SCHEMA, read_manifest
from genrescope.fleet.store import Folder, open_folder, read
from genrescope.progress import Progress, no_progress

PLAN = "plan.json"
FORMAT_VERSION = 1
SHARD_SIZE = 2_000


@dataclass(frozen=True)
class Song:
    """A row of a manifest, see `manifest.SCHEMA`."""

    id: str
    uri: str
    size: int | None
    etag: str | None


@dataclass(frozen=True)
class Shard:
    """Songs whose answers become one file.

    Attributes:
        number: from 0.
        n_songs: how many.
        sha256: of its file in the plan.
    """

    number: int
    n_songs: int
    sha256: str

    @property
    def name(self) -> str:
        """Its file in the plan."""
        return f"shards/shard-{self.number:06d}.parquet"

    @property
    def part(self) -> str:
        """The file of its answers."""
        return f"part-{self.number:06d}.parquet"


@dataclass(frozen=True)
class Plan:
    """What ``plan.json`` says.

    Attributes:
        text: its bytes.
        shards: in the order of the manifest.
    """

    text: bytes
    shards: tuple[Shard, ...]

    @cached_property
    def sha256(self) -> str:
        """Which names the plan, and every song in it."""
        return hashlib.sha256(self.text).hexdigest()

    @cached_property
    def n_songs(self) -> int:
        return sum(shard.n_songs for shard in self.shards)


def write_plan(
    source: str,
    out: str | os.PathLike[str],
    *,
    shard_size: int = SHARD_SIZE,
    progress: Progress = no_progress,
) -> Plan:
    """Divide the songs of a source into shards; memory holds one shard at a time.

    ``plan.json`` is written last: what has none is no plan, and is written anew.

    Args:
        source: see `manifest.read_manifest`.
        out: folder of the plan, a path or URL.
        shard_size: songs in a shard; the last one may have fewer.
        progress: told songs.

    Raises:
        FleetError: there is a plan already, the source holds no song or cannot be read.
    """
    folder = open_folder(out)
    if any(entry.name == PLAN for entry in folder.entries()):
        raise FleetError(
            folder.url, "there is a plan already", "A plan never changes; name another."
        )
    shards: list[Shard] = []
    done = 0
    for table in _sliced(read_manifest(source), shard_size):
        data = _encoded(table)
        shard = Shard(len(shards), table.num_rows, hashlib.sha256(data).hexdigest())
        folder.write(shard.name, data)
        shards.append(shard)
        done += shard.n_songs
        progress(done, None, shard.name)
    if not shards:
        raise FleetError(
            source, "it holds no song", "Check the source, and the names of its files."
        )
    lines = ",\n".join(
        f'{{"songs": {shard.n_songs}, "sha256": "{shard.sha256}"}}' for shard in shards
    )
    head = json.dumps({"format_version": FORMAT_VERSION, "source": source})[:-1]
    text = f'{head}, "shards": [\n{lines}\n]}}\n'.encode()
    folder.write(PLAN, text)
    return Plan(text, tuple(shards))


def read_plan(folder: Folder) -> Plan:
    """The plan in a folder (FleetError: there is none, or it is none of this version)."""
    text = read(folder, PLAN)
    try:
        payload = json.loads(text)
        version = payload["format_version"]
        shards = tuple(
            Shard(number, int(item["songs"]), str(item["sha256"]))
            for number, item in enumerate(payload["shards"])
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FleetError(f"{folder.url}/{PLAN}", "it is no plan", "Make a new one.") from error
    if version != FORMAT_VERSION:
        raise FleetError(
            f"{folder.url}/{PLAN}",
            f"its format version {version} is not the one this Genrescope reads ({FORMAT_VERSION})",
            "Make a new plan, or use the version that made it.",
        )
    return Plan(text, shards)


def read_shard(folder: Folder, shard: Shard) -> list[Song]:
    """The songs of a shard, after its SHA-256 was checked (FleetError)."""
    data = read(folder, shard.name)
    if hashlib.sha256(data).hexdigest() != shard.sha256:
        raise FleetError(
            f"{folder.url}/{shard.name}",
            "it is not the shard that the plan describes (its SHA-256 differs)",
            "Make a new plan.",
        )
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(data)).to_pylist()
    return [Song(**row) for row in rows]


def _sliced(batches: Iterator[pa.RecordBatch], n_rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of ``n_rows``, the last of what is left."""
    held: list[pa.RecordBatch] = []
    n_held = 0
    for batch in batches:
        held.append(batch)
        n_held += batch.num_rows
        if n_held < n_rows:
            continue
        table = pa.Table.from_batches(held, SCHEMA)
        whole = n_held - n_held % n_rows
        for start in range(0, whole, n_rows):
            yield table.slice(start, n_rows)
        rest = table.slice(whole).combine_chunks()
        held = rest.to_batches()
        n_held = rest.num_rows
    if n_held:
        yield pa.Table.from_batches(held, SCHEMA)


def _encoded(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table.combine_chunks(), buffer, compression="zstd")
    return buffer.getvalue()
