"""Songs are found the same way each time, in a folder, a table or a store."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genrescope.errors import FleetError
from genrescope.fleet.manifest import SCHEMA, read_manifest


def _rows(source: str) -> list[dict[str, object]]:
    batches = list(read_manifest(source))
    assert all(batch.schema == SCHEMA for batch in batches)
    return [row for batch in batches for row in batch.to_pylist()]


def test_a_folder_is_walked_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b/2.mp3", "a/1 ü.flac", "a/cover.jpg", "c.wav"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * len(name))
    rows = _rows(str(tmp_path))
    assert [row["id"] for row in rows] == ["c.wav", "a/1 ü.flac", "b/2.mp3"]
    assert [row["size"] for row in rows] == [5, len("a/1 ü.flac"), 7]
    assert rows[1]["uri"] == (tmp_path / "a/1 ü.flac").as_uri()
    assert len({row["etag"] for row in rows}) == 3


def test_a_csv_may_name_urls_and_paths_beside_it(tmp_path: Path) -> None:
    table = tmp_path / "songs.csv"
    table.write_text("uri,id,size,more\nhttps://x.org/1,007,12,a\nsub/2.mp3,8,,b\n/3.mp3,9,,\n")
    assert _rows(str(table)) == [
        {"id": "007", "uri": "https://x.org/1", "size": 12, "etag": None},
        {"id": "8", "uri": f"{tmp_path}/sub/2.mp3", "size": None, "etag": None},
        {"id": "9", "uri": "/3.mp3", "size": None, "etag": None},
    ]


def test_a_parquet_without_ids_goes_by_its_paths(tmp_path: Path) -> None:
    table = pa.table({"path": ["/1.mp3", "/2.mp3"], "etag": ["x", None], "other": [1, 2]})
    pq.write_table(table, tmp_path / "songs.parquet")
    assert _rows(str(tmp_path / "songs.parquet")) == [
        {"id": "/1.mp3", "uri": "/1.mp3", "size": None, "etag": "x"},
        {"id": "/2.mp3", "uri": "/2.mp3", "size": None, "etag": None},
    ]


def test_a_store_is_listed_by_fsspec() -> None:
    system = fsspec.filesystem("memory")
    for name in ("b/2.mp3", "b/1.mp3", "a.ogg", "a.txt"):
        system.pipe_file(f"/manifest-test/{name}", b"12345")
    rows = _rows("memory://manifest-test")
    assert [row["id"] for row in rows] == ["a.ogg", "b/1.mp3", "b/2.mp3"]
    assert rows[0]["uri"] == "memory:///manifest-test/a.ogg"
    assert rows[0]["size"] == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,place\n1,a\n", "no column uri"),
        ("id,uri\n,/a.mp3\n", "lacks its ID"),
        ("uri,size\n/a.mp3,many\n", "not what its column holds"),
        ("", "cannot be read as a table"),
    ],
)
def test_a_table_that_is_no_manifest_is_refused(tmp_path: Path, text: str, message: str) -> None:
    table = tmp_path / "songs.csv"
    table.write_text(text)
    with pytest.raises(FleetError, match=message):
        list(read_manifest(str(table)))


@pytest.mark.parametrize("source", ["nowhere", "nowhere.csv", "memory://nowhere", "odd://x"])
def test_a_source_that_is_not_there_is_named(tmp_path: Path, source: str) -> None:
    place = source if "://" in source else str(tmp_path / source)
    with pytest.raises(FleetError, match=r"nowhere|odd"):
        list(read_manifest(place))


def test_a_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "songs.csv").write_bytes(b"u\xffri,size\na.mp3,1\n")
    with pytest.raises(FleetError, match="cannot be read as a table"):
        list(read_manifest(str(tmp_path / "songs.csv")))
