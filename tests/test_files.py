"""Files that never stand half, folders with one writer, names that any terminal can show."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from genrescope.files import atomic_folder, atomic_write, exclusive_lock, printable


def test_a_file_takes_its_place_when_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    path.write_text("old")
    with atomic_write(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_what_is_interrupted_leaves_the_old_one(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "figures.json"
    path.write_text("old")

    def write_half() -> None:
        with atomic_write(path) as part:
            part.write_text("ne")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_lies_beside_is_neither_written_through_nor_taken_for_ours(tmp_path: Path) -> None:
    (tmp_path / "diary").write_text("mine")
    path = tmp_path / "figures.json"
    with atomic_write(path) as part:
        assert part.name != "figures.json.part"
        assert not part.is_symlink()
        part.write_text("new")
    for name in ("figures.json.part", "site.part"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine").touch()
    with atomic_folder(tmp_path / "site") as folder:
        (folder / "page").touch()
    assert (tmp_path / "site" / "page").exists()
    assert (tmp_path / "site.part" / "mine").exists()
    assert (tmp_path / "diary").read_text() == "mine"


def test_a_folder_takes_its_place_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "site"
    for name in ("old", "new"):
        with atomic_folder(path) as folder:
            (folder / name).touch()
    assert [p.name for p in path.iterdir()] == ["new"]

    def stop() -> None:
        with atomic_folder(path) as folder:
            (folder / "half").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert [p.name for p in path.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="there folders have no locks")
def test_a_folder_has_one_writer_at_a_time(tmp_path: Path) -> None:
    with exclusive_lock(tmp_path) as first, exclusive_lock(tmp_path) as second:
        assert (first, second) == (True, False)
    with exclusive_lock(tmp_path) as again:
        assert again


def test_bytes_that_are_no_text_stand_as_escapes() -> None:
    assert printable(os.fsdecode(b"caf\xc3\xa9\xff")) == "café\\udcff"
