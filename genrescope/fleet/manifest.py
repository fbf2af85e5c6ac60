"""Which songs there are: rows of ``id``, ``uri``, ``size`` and ``etag``, never all in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from genrescope.audio.decode import AUDIO_SUFFIXES
from genrescope.audio.formats import audio_files
from genrescope.errors import FleetError
from genrescope.files import printable
from genrescope.fleet.store import open_store, store_errors

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("size", pa.int64()),
        pa.field("etag", pa.string()),
    ]
)
"""Of a manifest: ``id`` names a song in all that follows, ``uri`` is where it lies (a path, or a
URL), ``size`` its bytes and ``etag`` its version; the last two may be unknown."""

_BATCH = 20_000
"""Rows that are held at a time."""


def read_manifest(source: str) -> Iterator[pa.RecordBatch]:
    """Rows of `SCHEMA`, some at a time, in an order that is the same each time.

    Args:
        source: a folder or a prefix of an object store, whose recordings are found by their
            endings; or a table, ``.csv`` or ``.parquet``, with a column ``uri`` (or ``path``) and,
            where it has them, ``id`` (else the URI is the ID), ``size`` and ``etag``. Paths in a
            table are relative to its folder.

    Raises:
        FleetError: there is no such source, or it is no manifest.
    """
    suffix = PurePosixPath(source).suffix.lower()
    if suffix in (".csv", ".parquet"):
        return _table(source, suffix)
    if "://" in source:
        return _batches(_in_store(source))
    if not Path(source).is_dir():
        raise FleetError(
            source, "there is no such folder", "Name a folder, a CSV or Parquet file, or a URL."
        )
    return _batches(_in_folder(Path(source).absolute()))


def _batches(rows: Iterable[tuple[str, str, int | None, str | None]]) -> Iterator[pa.RecordBatch]:
    left = iter(rows)
    while batch := list(islice(left, _BATCH)):
        columns = zip(*batch, strict=True)
        yield pa.RecordBatch.from_arrays(
            [pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
        )


def _in_folder(top: Path) -> Iterator[tuple[str, str, int | None, str | None]]:
    def refuse(error: OSError) -> None:
        # A plan that left songs out would be taken for a whole one.
        raise FleetError(str(error.filename), f"it cannot be read ({error.strerror})") from error

    for path in audio_files(top, unreadable=refuse):
        status = path.stat()
        name = printable(path.relative_to(top).as_posix())
        yield name, path.as_uri(), status.st_size, f"{status.st_mtime_ns:x}"


def _in_store(url: str) -> Iterator[tuple[str, str, int | None, str | None]]:
    system, root = open_store(url)
    try:
        with store_errors():
            if not system.isdir(root):
                raise FileNotFoundError
            # A plan that left songs out would be taken for a whole one.
            for folder, folders, files in system.walk(root, detail=True, on_error="raise"):
                for name in sorted(folders):  # in the order of names, whatever the store's
                    folders[name] = folders.pop(name)
                for name, info in sorted(files.items()):
                    if PurePosixPath(name).suffix.lower() in AUDIO_SUFFIXES:
                        path = f"{folder}/{name}"
                        etag = info.get("ETag") or info.get("etag")
                        yield (
                            path.removeprefix(root).lstrip("/"),
                            system.unstrip_protocol(path),
                            info.get("size"),
                            etag and str(etag).strip('"'),
                        )
    except FileNotFoundError as error:
        raise FleetError(url, "there is no such prefix", "Check the URL.") from error
    except OSError as error:
        raise FleetError(url, f"it cannot be listed ({error})") from error


def _table(source: str, suffix: str) -> Iterator[pa.RecordBatch]:
    base = source.rpartition("/")[0] if "://" in source else str(Path(source).absolute().parent)
    try:
        with fsspec.open(source, "rb") as file:
            read = _csv if suffix == ".csv" else _parquet
            for batch in read(source, file):
                if batch.num_rows:
                    yield _as_manifest(source, batch, base)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise FleetError(source, f"it cannot be read as a table ({error})") from error


def _csv(source: str, file: Any) -> Iterator[pa.RecordBatch]:
    # All as text first: a column of numbers may begin with what looks like none.
    names = pa.csv.open_csv(file).schema.names
    file.seek(0)
    convert = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True
    )
    yield from pa.csv.open_csv(file, convert_options=convert)


def _parquet(source: str, file: Any) -> Iterator[pa.RecordBatch]:
    table = pq.ParquetFile(file, pre_buffer=False)  # which would keep all that was read
    wanted = [n for n in table.schema_arrow.names if n in ("id", "uri", "path", "size", "etag")]
    yield from table.iter_batches(_BATCH, columns=wanted)


def _as_manifest(source: str, batch: pa.RecordBatch, base: str) -> pa.RecordBatch:
    names = set(batch.schema.names)
    key = "uri" if "uri" in names else "path"
    if key not in names:
        raise FleetError(source, "it has no column uri", "Name the column of paths or URLs uri.")
    try:
        uri = batch[key].cast(pa.string())
        ids = batch["id"].cast(pa.string()) if "id" in names else uri
        size, etag = (
            batch[name].cast(SCHEMA.field(name).type)
            if name in names
            else pa.nulls(batch.num_rows, SCHEMA.field(name).type)
            for name in ("size", "etag")
        )
    except pa.ArrowException as error:
        raise FleetError(source, f"a value is not what its column holds ({error})") from error
    if ids.null_count or uri.null_count:
        raise FleetError(source, "a row lacks its ID or its URI", "Complete or remove it.")
    absolute = pc.or_(pc.match_substring(uri, "://"), pc.starts_with(uri, "/"))
    if not pc.all(absolute).as_py():
        uri = pc.if_else(absolute, uri, pc.binary_join_element_wise(base, uri, "/"))
    return pa.RecordBatch.from_arrays([ids, uri, size, etag], schema=SCHEMA)
