"""A folder on a disk and one in an object store keep the same promises."""

from __future__ import annotations

import os
import pickle
import uuid
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from genrescope.errors import FleetError
from genrescope.files import PARTIAL
from genrescope.fleet.store import DiskFolder, Folder, ObjectFolder, open_folder, read


@pytest.fixture(params=["disk", "memory", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A folder that does not exist yet, of either kind."""
    if request.param == "disk":
        yield str(tmp_path / "new" / "folder")
        return
    if request.param == "s3":
        request.getfixturevalue("s3")
        yield "s3://bucket/folder"
        return
    url = f"memory://bucket-{uuid.uuid4().hex}/folder"
    yield url
    system, root = fsspec.core.url_to_fs(url)
    if system.exists(root):
        system.rm(root, recursive=True)


@pytest.fixture
def folder(place: str) -> Folder:
    return open_folder(place)


def _names(folder: Folder) -> set[str]:
    return {entry.name for entry in folder.entries()}


@pytest.mark.slow
def test_what_is_written_is_read_and_listed(folder: Folder) -> None:
    assert _names(folder) == set()
    folder.write("run.json", b"first")
    folder.write("shards/shard-000000.parquet", b"songs")
    folder.write("run.json", b"second")
    assert read(folder, "run.json") == b"second"
    assert read(folder, "shards/shard-000000.parquet") == b"songs"
    assert _names(folder) == {"run.json"}  # folders within it are none of its files
    assert all(entry.modified > 1_600_000_000 for entry in folder.entries())


def test_what_is_there_is_not_created_again(folder: Folder) -> None:
    folder.create("part-000000.parquet", b"first")
    folder.create("part-000000.parquet", b"second")
    assert read(folder, "part-000000.parquet") == b"first"


def test_a_file_that_is_not_there_is_named(folder: Folder) -> None:
    with pytest.raises(FleetError, match=r"plan\.json"):
        read(folder, "plan.json")


def test_it_is_the_same_folder_in_another_process(folder: Folder) -> None:
    folder.write("a", b"1")
    again = pickle.loads(pickle.dumps(folder))
    assert again == folder
    assert read(again, "a") == b"1"


def test_a_path_is_on_the_disk_and_absolute_and_a_url_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_folder("out") == DiskFolder(str(tmp_path / "out"))
    assert open_folder("s3://bucket/out") == ObjectFolder("s3://bucket/out")


def test_what_is_half_written_is_not_listed_and_goes_once_it_is_old(tmp_path: Path) -> None:
    folder = DiskFolder(str(tmp_path))
    for name, modified in ((f"old{PARTIAL}", 1_000), (f"new{PARTIAL}", 3_000), ("whole", 1_000)):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (modified, modified))
    assert _names(folder) == {"whole"}
    folder.remove_leftovers(before=2_000)
    assert {path.name for path in tmp_path.iterdir()} == {"whole", f"new{PARTIAL}"}
    DiskFolder(str(tmp_path / "nowhere")).remove_leftovers(before=2_000)
    assert not (tmp_path / "nowhere").exists()


def test_a_store_that_nobody_knows_is_named() -> None:
    with pytest.raises(FleetError, match="such a store cannot be read"):
        read(open_folder("quux://bucket/x"), "a")
