"""A plan holds every song once, in shards that cannot change unnoticed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from fleet_makers import write_csv
from hypothesis import given
from hypothesis import strategies as st

from genrescope.errors import FleetError
from genrescope.fleet import manifest
from genrescope.fleet.plan import read_plan, read_shard, write_plan
from genrescope.fleet.store import open_folder


def test_shards_hold_every_song_once_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "_BATCH", 7)
    made = write_plan(str(write_csv(tmp_path / "songs.csv", 25)), tmp_path / "plan", shard_size=10)
    folder = open_folder(tmp_path / "plan")
    plan = read_plan(folder)
    assert plan == made
    assert [shard.n_songs for shard in plan.shards] == [10, 10, 5]
    assert plan.n_songs == 25
    ids = [song.id for shard in plan.shards for song in read_shard(folder, shard)]
    assert ids == [f"song-{i:08d}" for i in range(25)]
    for shard in json.loads((tmp_path / "plan" / "plan.json").read_text())["shards"]:
        assert len(shard["sha256"]) == 64
    file = (tmp_path / "plan" / plan.shards[1].name).read_bytes()
    assert hashlib.sha256(file).hexdigest() == plan.shards[1].sha256


@given(sizes=st.lists(st.integers(0, 9), max_size=12), n=st.integers(1, 11))
def test_batches_of_any_size_become_shards_of_one(sizes: list[int], n: int) -> None:
    import pyarrow as pa

    from genrescope.fleet.plan import _sliced

    ids = [str(i) for i in range(sum(sizes))]
    left = iter(ids)
    batches = []
    for size in sizes:
        names = pa.array([next(left) for _ in range(size)], pa.string())
        empty = (pa.nulls(size, pa.int64()), pa.nulls(size, pa.string()))
        batches.append(pa.RecordBatch.from_arrays([names, names, *empty], schema=manifest.SCHEMA))
    tables = [table["id"].to_pylist() for table in _sliced(iter(batches), n)]
    assert [len(table) for table in tables[:-1]] == [n] * (len(tables) - 1)
    assert all(0 < len(table) <= n for table in tables)
    assert [name for table in tables for name in table] == ids


def test_the_same_songs_make_the_same_plan(tmp_path: Path) -> None:
    source = str(write_csv(tmp_path / "songs.csv", 25))
    first, second = (write_plan(source, tmp_path / name, shard_size=4) for name in "ab")
    assert first.sha256 == second.sha256


def test_a_plan_is_never_replaced(tmp_path: Path) -> None:
    source = str(write_csv(tmp_path / "songs.csv", 3))
    write_plan(source, tmp_path / "plan")
    with pytest.raises(FleetError, match="there is a plan already"):
        write_plan(source, tmp_path / "plan")


def test_planning_that_was_cut_off_begins_anew(tmp_path: Path) -> None:
    old, new = (str(write_csv(tmp_path / f"{n}.csv", n)) for n in (30, 20))
    write_plan(old, tmp_path / "plan", shard_size=10)
    (tmp_path / "plan" / "plan.json").unlink()
    write_plan(new, tmp_path / "plan", shard_size=15)
    folder = open_folder(tmp_path / "plan")
    counts = [len(read_shard(folder, shard)) for shard in read_plan(folder).shards]
    assert counts == [15, 5]


def test_a_shard_that_changed_is_refused(tmp_path: Path) -> None:
    plan = write_plan(str(write_csv(tmp_path / "songs.csv", 3)), tmp_path / "plan")
    folder = open_folder(tmp_path / "plan")
    folder.write(plan.shards[0].name, b"other")
    with pytest.raises(FleetError, match="not the shard that the plan describes"):
        read_shard(folder, plan.shards[0])


def test_no_song_is_no_plan(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FleetError, match="holds no song"):
        write_plan(str(tmp_path / "empty"), tmp_path / "plan")


def test_what_is_no_plan_is_refused(tmp_path: Path) -> None:
    folder = open_folder(tmp_path)
    with pytest.raises(FleetError, match="cannot be read"):
        read_plan(folder)
    folder.write("plan.json", b"[]")
    with pytest.raises(FleetError, match="it is no plan"):
        read_plan(folder)
    folder.write("plan.json", b'{"format_version": 2, "shards": []}')
    with pytest.raises(FleetError, match="format version 2"):
        read_plan(folder)


def test_a_plan_may_lie_in_an_object_store(tmp_path: Path) -> None:
    made = write_plan(str(write_csv(tmp_path / "songs.csv", 5)), "memory://plan-test", shard_size=2)
    folder = open_folder("memory://plan-test")
    assert read_plan(folder) == made
    assert len(read_shard(folder, made.shards[2])) == 1


@pytest.mark.slow
def test_planning_keeps_nothing_of_what_it_has_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    monkeypatch.setattr(manifest, "_BATCH", 1_000)
    rng = np.random.default_rng(0)
    etags = [rng.bytes(32).hex() for _ in range(40_000)]  # which cannot be compressed away
    table = pa.table({"uri": [f"/{i}.mp3" for i in range(40_000)], "etag": etags})
    pq.write_table(table, tmp_path / "songs.parquet", row_group_size=1_000)
    del table
    before = pa.total_allocated_bytes()
    held: list[int] = []
    write_plan(
        str(tmp_path / "songs.parquet"),
        tmp_path / "plan",
        shard_size=500,
        progress=lambda *_: held.append(pa.total_allocated_bytes() - before),
    )
    assert len(held) == 80
    assert max(held[40:]) < 1.2 * max(held[:40])
