"""How far a run is, from files that another run left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fleet_makers import START

from genrescope.errors import FleetError
from genrescope.fleet.status import Status, Watch
from genrescope.fleet.store import open_folder


def test_the_files_tell_rate_errors_and_time_left(half_done: Path) -> None:
    status = Watch(open_folder(half_done)).look(now=START + 20.0)
    assert status == Status(
        songs=100,
        songs_done=40,
        shards=10,
        shards_done=4,
        errors={"timeout": 4},
        songs_per_s=2.0,
        seconds_left=30.0,
        bundle="tiny",
    )


def test_the_rate_of_a_run_that_stands_still_falls(half_done: Path) -> None:
    status = Watch(open_folder(half_done)).look(now=START + 40.0)
    assert status.songs_per_s == 1.0
    assert status.seconds_left == 60.0


def test_a_finished_run_keeps_its_rate_and_parts_are_read_once(
    half_done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from genrescope.fleet import status as module

    watch = Watch(open_folder(half_done))
    watch.look()
    read = []
    real = module.read_counts
    monkeypatch.setattr(module, "read_counts", lambda file: read.append(1) or real(file))
    data = (half_done / "part-000000.parquet").read_bytes()
    for i in range(4, 10):
        path = half_done / f"part-00000{i}.parquet"
        path.write_bytes(data)
        os.utime(path, (START + 5.0 * (i + 1),) * 2)
    status = watch.look(now=START + 1e6)
    assert len(read) == 6
    assert status.songs_per_s == 2.0
    assert status.seconds_left == 0.0


def test_a_damaged_part_is_named(half_done: Path) -> None:
    (half_done / "part-000005.parquet").write_bytes(b"half")
    with pytest.raises(FleetError, match=r"part-000005\.parquet"):
        Watch(open_folder(half_done)).look()


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match="it holds no run"):
        Watch(open_folder(tmp_path))
