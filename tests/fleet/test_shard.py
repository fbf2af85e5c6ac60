"""A shard is done by the very bundle of the run, and its answers come as one file."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from bundle_maker import make_bundle
from fleet_makers import NullStep, write_csv

from genrescope.errors import FleetError
from genrescope.fleet.plan import Plan, write_plan
from genrescope.fleet.shard import RUN, Model, ShardJob, bundle_sha256, read_run, run_text
from genrescope.fleet.store import open_folder
from genrescope.model.bundle import Bundle


class CountedStep(NullStep):
    """Counts how often it is made."""

    n_made = 0

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        CountedStep.n_made += 1


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    source = str(write_csv(tmp_path / "songs.csv", 25))
    return write_plan(source, tmp_path / "plan", shard_size=10)


def _job(folder: Path, plan: Plan, model: Model, **options: Any) -> ShardJob:
    folders = open_folder(folder / "plan"), open_folder(folder / "out")
    return ShardJob(*folders, plan.sha256, model, make_step=NullStep, **options)


def test_each_shard_becomes_a_part_that_names_plan_and_bundle(
    plan: Plan, tmp_path: Path, tiny_bundle: Path
) -> None:
    bundle = Bundle.load(tiny_bundle)
    job = _job(tmp_path, plan, Model.of(bundle))
    for shard in plan.shards:
        job(shard)
    parts = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in parts] == [shard.part for shard in plan.shards]
    rows = [row for path in parts for row in pq.read_table(path).to_pylist()]
    assert [row["id"] for row in rows] == [f"song-{i:08d}" for i in range(25)]
    assert {row["bundle"] for row in rows} == {bundle_sha256(bundle)}
    facts = b" ".join(pq.read_metadata(parts[0]).metadata.values()).decode()
    assert plan.sha256 in facts


def test_what_answers_is_made_once_in_each_worker(
    plan: Plan, tmp_path: Path, tiny_bundle: Path
) -> None:
    CountedStep.n_made = 0
    folders = open_folder(tmp_path / "plan"), open_folder(tmp_path / "out")
    model = Model.of(Bundle.load(tiny_bundle))
    job = ShardJob(*folders, plan.sha256, model, make_step=CountedStep)
    for shard in plan.shards[:2]:
        job(shard)
    assert CountedStep.n_made == 1
    pickle.loads(pickle.dumps(job))(plan.shards[2])  # as a second worker gets it
    assert CountedStep.n_made == 2


def test_a_worker_with_another_bundle_answers_for_nothing(plan: Plan, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle")
    job = _job(tmp_path, plan, Model.of(bundle))
    shutil.rmtree(bundle.path)
    make_bundle(bundle.path, name="another")
    with pytest.raises(FleetError, match="another bundle than the one that started the run"):
        job(plan.shards[0])
    assert not (tmp_path / "out").exists()


def test_what_a_run_is_of_is_written_and_read(tmp_path: Path, tiny_bundle: Path) -> None:
    bundle = Bundle.load(tiny_bundle)
    folder = open_folder(tmp_path)
    folder.write(RUN, run_text(open_folder(tmp_path / "plan"), "0" * 64, bundle, excerpt_s=90.0))
    described = read_run(folder)
    assert described["bundle"] == bundle.name
    assert described["labels"] == list(bundle.labels)
    assert described["bundle_sha256"] == bundle_sha256(bundle)
    assert described["excerpt_s"] == 90.0


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", json.dumps({"bundle": 7}).encode(), b"\xff"])
def test_a_damaged_description_of_a_run_is_refused(tmp_path: Path, text: bytes) -> None:
    folder = open_folder(tmp_path)
    folder.write(RUN, text)
    with pytest.raises(FleetError, match=r"run\.json: it is damaged"):
        read_run(folder)
