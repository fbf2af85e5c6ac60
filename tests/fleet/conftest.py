"""A run that is half done, as another machine left it; an object store of the tests' own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import s3_server
from bundle_maker import LABELS
from fleet_makers import START, NullStep, write_csv

from genrescope.fleet.plan import write_plan
from genrescope.fleet.rows import Answer
from genrescope.fleet.run import run
from genrescope.fleet.scheduler import Outcome
from genrescope.fleet.store import open_folder
from genrescope.model.bundle import Bundle


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


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[s3_server.Store]:
    """What ``s3://`` URLs mean meanwhile, for this process and those that it starts."""
    s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed")
    with s3_server.serving() as store:
        monkeypatch.setenv("AWS_ENDPOINT_URL", store.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        s3fs.S3FileSystem.clear_instance_cache()
        yield store
        s3fs.S3FileSystem.clear_instance_cache()
