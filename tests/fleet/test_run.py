"""Resume is the plan less what is there; songs that fail are rows; equal bytes come each time."""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from audio_makers import chord, encoded
from fleet_makers import CRASH, HANG, FragileStep, NullStep, parts, write_csv

from genrescope.errors import FleetError
from genrescope.fleet.engines import local
from genrescope.fleet.merge import merge
from genrescope.fleet.plan import write_plan
from genrescope.fleet.run import Report, run
from genrescope.fleet.status import Watch
from genrescope.fleet.store import open_folder
from genrescope.model.bundle import Bundle
from genrescope.model.classifier import Classifier

ENGINE = functools.partial(local.map_shards, workers=2)
ALONE = functools.partial(local.map_shards, workers=1)


@pytest.fixture
def planned(tmp_path: Path) -> Path:
    write_plan(str(write_csv(tmp_path / "songs.csv", 95)), tmp_path / "plan", shard_size=10)
    return tmp_path / "plan"


def _null_run(plan: Path, out: Path, bundle: Path) -> Report:
    folders = open_folder(plan), open_folder(out)
    return run(*folders, Bundle.load(bundle), ALONE, make_step=NullStep)


@pytest.mark.slow
def test_what_is_there_is_not_done_again_and_bytes_are_the_same(
    planned: Path, tmp_path: Path, tiny_bundle: Path
) -> None:
    out = tmp_path / "out"
    assert _null_run(planned, out, tiny_bundle) == Report(done=10, before=0, failed=())
    first = parts(out)
    assert len(first) == 10
    (out / "part-000003.parquet").unlink()
    kept = {path: path.stat().st_mtime_ns for path in out.glob("part-*")}
    assert _null_run(planned, out, tiny_bundle) == Report(done=1, before=9, failed=())
    assert parts(out) == first
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


@pytest.mark.slow
def test_leftovers_go_once_they_are_old(planned: Path, tmp_path: Path, tiny_bundle: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    old, new = (out / f"part-000000.parquet.{name}.part" for name in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7_200,) * 2)
    _null_run(planned, out, tiny_bundle)
    assert not old.exists()
    assert new.exists()


@pytest.mark.slow
def test_a_folder_holds_answers_of_one_plan_and_one_bundle(
    planned: Path, tmp_path: Path, tiny_bundle: Path
) -> None:
    from bundle_maker import make_bundle

    _null_run(planned, tmp_path / "out", tiny_bundle)
    other = make_bundle(tmp_path / "other", name="other").path
    with pytest.raises(FleetError, match="another run"):
        _null_run(planned, tmp_path / "out", other)
    write_plan(str(write_csv(tmp_path / "few.csv", 5)), tmp_path / "plan2")
    with pytest.raises(FleetError, match="another plan"):
        _null_run(tmp_path / "plan2", tmp_path / "out", tiny_bundle)


@pytest.mark.slow
def test_excerpts_and_whole_songs_are_never_mixed(
    planned: Path, tmp_path: Path, tiny_bundle: Path
) -> None:
    folders = open_folder(planned), open_folder(tmp_path / "out")
    bundle = Bundle.load(tiny_bundle)
    run(*folders, bundle, ALONE, excerpt_s=90.0, make_step=NullStep)
    for other in (None, 60.0):
        with pytest.raises(FleetError, match="another run"):
            run(*folders, bundle, ALONE, excerpt_s=other, make_step=NullStep)
    dataset = merge(folders[1], tmp_path / "dataset")
    assert json.loads((dataset / "dataset.json").read_text())["excerpt_s"] == 90.0


@pytest.mark.slow
def test_an_excerpt_is_answered_for_as_the_places_alone(tmp_path: Path, tiny_bundle: Path) -> None:
    music = tmp_path / "music"
    music.mkdir()
    for kind, suffix in (("wav16", "wav"), ("flac", "flac"), ("ogg", "ogg")):
        (music / f"song.{suffix}").write_bytes(encoded(kind, chord(20.0), 22_050))
    write_plan(str(music), tmp_path / "plan")
    bundle, out = Bundle.load(tiny_bundle), open_folder(tmp_path / "out")
    run(open_folder(tmp_path / "plan"), out, bundle, ENGINE, excerpt_s=9.0)
    rows = pq.read_table(merge(out, tmp_path / "dataset") / "songs-00000.parquet").to_pylist()
    excerpts = {row["id"]: row["excerpt_s"] for row in rows}
    assert excerpts["song.wav"] == pytest.approx(9.0, abs=1e-3)
    assert excerpts["song.flac"] == pytest.approx(9.0, abs=1.0)
    assert excerpts["song.ogg"] is None
    assert all(row["duration_s"] == pytest.approx(20.0, abs=0.01) for row in rows)


@pytest.mark.slow
def test_a_shard_whose_songs_are_gone_fails_and_no_other(
    planned: Path, tmp_path: Path, tiny_bundle: Path
) -> None:
    (planned / "shards" / "shard-000004.parquet").write_bytes(b"")
    report = _null_run(planned, tmp_path / "out", tiny_bundle)
    assert report.done == 9
    (failed,) = report.failed
    assert failed.shard.number == 4
    assert "SHA-256 differs" in str(failed.error)
    with pytest.raises(FleetError, match="1 of 10 shards"):
        merge(open_folder(tmp_path / "out"), tmp_path / "dataset")


@pytest.mark.slow
def test_songs_become_the_rows_that_a_classifier_would_give(
    tmp_path: Path, tiny_bundle: Path
) -> None:
    music = tmp_path / "music"
    music.mkdir()
    for i, kind in enumerate(("wav16", "flac", "ogg", "mp3")):
        suffix = kind.removesuffix("16")
        (music / f"{i}.{suffix}").write_bytes(encoded(kind, chord(4.0, seed=i), 22_050))
    (music / "4.mp3").write_bytes(b"no music at all")
    (music / "5.wav").write_bytes(b"")
    write_plan(str(music), tmp_path / "plan", shard_size=4)
    names = sorted(path.name for path in music.iterdir())
    (music / "3.mp3").unlink()  # after it was planned
    bundle = Bundle.load(tiny_bundle)
    out = open_folder(tmp_path / "out")
    report = run(open_folder(tmp_path / "plan"), out, bundle, ENGINE)
    assert report == Report(done=2, before=0, failed=())
    dataset = merge(out, tmp_path / "dataset")
    rows = pq.read_table(dataset / "songs-00000.parquet").to_pylist()
    assert [row["id"] for row in rows] == names
    classifier = Classifier(bundle, threads=1)
    for row in rows[:3]:
        prediction = classifier.classify(music / row["id"])
        assert row["genre"] == prediction.genre
        assert row["flags"] == list(prediction.flags)
        assert row["probabilities"] == prediction.clip_probs.astype("f2").tolist()
        assert row["duration_s"] == pytest.approx(4.0, abs=0.1)
        assert row["error"] is row["error_code"] is None
    codes = [row["error_code"] for row in rows[3:]]
    assert codes == ["missing", "unreadable", "unreadable"]
    assert all(row["id"] in row["error"] and row["genre"] is None for row in rows[3:])
    status = Watch(out).look()
    assert status.songs_done == 6
    assert status.errors == {"missing": 1, "unreadable": 2}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on files")
def test_a_store_of_objects_takes_parts_as_well(
    planned: Path, tmp_path: Path, tiny_bundle: Path
) -> None:
    from genrescope.fleet.plan import read_plan
    from genrescope.fleet.shard import Model, ShardJob
    from genrescope.fleet.store import read

    plan_folder, out = open_folder(planned), open_folder("memory://run-test")
    plan = read_plan(plan_folder)
    model = Model.of(Bundle.load(tiny_bundle))
    job = ShardJob(plan_folder, out, plan.sha256, model, make_step=NullStep)
    shard = plan.shards[0]
    job(shard)
    data = read(out, shard.part)
    job(shard)  # a second worker, which comes too late
    assert read(out, shard.part) == data
    _null_run(planned, tmp_path / "out", tiny_bundle)
    assert parts(tmp_path / "out")[shard.part] == data


@pytest.mark.slow
def test_broken_and_hanging_songs_cost_their_own_answers_alone(
    tmp_path: Path, tiny_bundle: Path
) -> None:
    music = tmp_path / "music"
    music.mkdir()
    good = encoded("wav16", chord(2.0), 22_050)
    bad = {"03": (b"noise", "unreadable"), "11": (HANG, "timeout"), "17": (CRASH, "crashed")}
    for i in range(24):
        name = f"{i:02d}"
        data = bad[name][0] if name in bad else good
        (music / f"{name}.wav").write_bytes(data)
    write_plan(str(music), tmp_path / "plan", shard_size=8)
    out = open_folder(tmp_path / "out")
    folders = open_folder(tmp_path / "plan"), out
    report = run(*folders, Bundle.load(tiny_bundle), ALONE, make_step=FragileStep)
    assert report == Report(done=3, before=0, failed=())
    rows = pq.read_table(merge(out, tmp_path / "dataset") / "songs-00000.parquet").to_pylist()
    assert len(rows) == 24
    for row in rows:
        name = row["id"].removesuffix(".wav")
        assert row["error_code"] == (bad[name][1] if name in bad else None)
        assert (row["probabilities"] is None) == (name in bad)
        assert name not in bad or row["id"] in row["error"]
