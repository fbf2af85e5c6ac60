"""How far a run is, from files that another run left."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from bundle_maker import LABELS
from fleet_makers import NullStep, write_csv

from genrescope.errors import FleetError
from genrescope.fleet.metrics import server, text
from genrescope.fleet.plan import read_plan, write_plan
from genrescope.fleet.rows import Answer
from genrescope.fleet.run import run
from genrescope.fleet.scheduler import Outcome
from genrescope.fleet.status import Status, Watch
from genrescope.fleet.store import open_folder
from genrescope.model.bundle import Bundle

START = 1_700_000_000.0


class OneSongFails(NullStep):
    """Fails for the first song of each ten, as if its server hung."""

    def __call__(self, song):  # type: ignore[no-untyped-def]
        if song.id.endswith("0"):
            return Answer.failed(song.id, "timeout", f"{song.id}: it took more than 60 seconds.")
        return Answer(song.id, genre=LABELS[0])


@pytest.fixture
def half_done(tmp_path: Path, tiny_bundle: Path) -> Path:
    """A run of 10 shards of 10 songs, of which 4 are done, one each 5 s."""
    write_plan(str(write_csv(tmp_path / "songs.csv", 100)), tmp_path / "plan", shard_size=10)

    def in_this_process(function, shards):  # type: ignore[no-untyped-def]
        for shard in shards[:4]:
            function(shard)
            yield Outcome(shard)

    out = tmp_path / "out"
    folders = open_folder(tmp_path / "plan"), open_folder(out)
    run(*folders, Bundle.load(tiny_bundle), in_this_process, make_step=OneSongFails)
    os.utime(out / "run.json", (START, START))
    for i in range(4):
        when = START + 5.0 * (i + 1)
        os.utime(out / f"part-00000{i}.parquet", (when, when))
    return out


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


@pytest.fixture
def scraped(half_done: Path) -> Iterator[str]:
    ready = server(Watch(open_folder(half_done)), 0)
    thread = Thread(target=ready.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{ready.server_address[1]}"
    ready.shutdown()
    thread.join()
    ready.server_close()


def test_prometheus_is_answered(scraped: str) -> None:
    with urllib.request.urlopen(f"{scraped}/metrics") as reply:
        assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        body = reply.read().decode()
    assert "# TYPE genrescope_fleet_songs_done gauge\ngenrescope_fleet_songs_done 40\n" in body
    assert 'genrescope_fleet_errors{code="timeout"} 4\n' in body
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{scraped}/other")
    caught.value.close()
    assert caught.value.code == 404


def test_large_counts_are_exact_for_prometheus(half_done: Path) -> None:
    plan = read_plan(open_folder(half_done))
    status = Status(82_000_001, 1, len(plan.shards), 0, {}, None, None, "tiny")
    assert "genrescope_fleet_songs 82000001\n" in text(status)
    assert "seconds_left" not in text(status)
