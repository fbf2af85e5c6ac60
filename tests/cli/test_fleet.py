"""The verbs of many machines, from plan to dataset."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from audio_makers import chord, encoded
from click.testing import CliRunner, Result

from genrescope import cli


def _call(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(cli.app, ["fleet", *map(str, arguments)])
    assert result.exit_code == code, (result.output, result.exception)
    return result


@pytest.mark.slow
def test_from_plan_to_dataset(tmp_path: Path, tiny_bundle: Path) -> None:
    music = tmp_path / "music"
    music.mkdir()
    for i in range(3):
        (music / f"{i}.wav").write_bytes(encoded("wav16", chord(3.0, seed=i), 22_050))
    (music / "3.wav").write_bytes(b"RIFF")
    plan, out, dataset = (tmp_path / name for name in ("plan", "out", "dataset"))
    made = _call("plan", music, "--out", plan, "--shard", 2)
    assert made.stdout == f"4 songs in 2 shards: {plan}\n"
    done = _call("run", plan, "--out", out, "--workers", 1, "--bundle", tiny_bundle)
    assert done.stdout == "2 shards done, 0 before, 0 failed\n"
    again = _call("run", plan, "--out", out, "--workers", 1, "--bundle", tiny_bundle)
    assert again.stdout == "0 shards done, 2 before, 0 failed\n"
    told = _call("status", out).stdout
    assert told.startswith("4 of 4 songs (100.0%), by tiny\n2 of 2 shards\n")
    assert "1 without an answer: unreadable" in told
    state = json.loads(_call("status", out, "--json").stdout)
    assert state["errors"] == {"unreadable": 1}
    assert state["seconds_left"] == 0
    assert _call("merge", out, "--out", dataset).stdout == f"written: {dataset}\n"
    rows = pq.read_table(dataset / "songs-00000.parquet").to_pylist()
    assert [row["id"] for row in rows] == ["0.wav", "1.wav", "2.wav", "3.wav"]


@pytest.mark.slow
def test_excerpts_are_run_and_what_they_cost_is_told(tmp_path: Path, tiny_bundle: Path) -> None:
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "song.wav").write_bytes(encoded("wav16", chord(12.0), 22_050))
    plan, out = tmp_path / "plan", tmp_path / "out"
    _call("plan", tmp_path / "music", "--out", plan)
    options = ("--out", out, "--workers", 1, "--bundle", tiny_bundle)
    told = _call("run", plan, *options, "--excerpt", 9).stdout
    assert told.startswith("what excerpts cost, as measured: accuracy 0.")
    assert told.endswith("\n1 shards done, 0 before, 0 failed\n")
    assert "another run" in _call("run", plan, *options, code=1).stderr


def test_what_is_wrong_is_said_in_a_line(tmp_path: Path) -> None:
    result = _call("plan", tmp_path / "nowhere", "--out", tmp_path / "plan", code=1)
    assert "there is no such folder" in result.stderr
    result = _call("status", tmp_path, code=1)
    assert "it holds no run" in result.stderr


def test_an_address_is_rays(tmp_path: Path, tiny_bundle: Path) -> None:
    options = ("--out", tmp_path, "--bundle", tiny_bundle, "--address", "auto")
    assert "is for --engine ray" in _call("run", tmp_path, *options, code=2).stderr


def test_what_it_costs_is_said_with_the_bottleneck() -> None:
    prices = ("--core-hour", 0.04, "--gb", 0.01)
    told = _call("cost", "--songs", 82_000_000, "--cores", 4_096, *prices).stdout
    assert "631.400 TB to read" in told
    assert "waiting for the network" in told
    assert "reading 6,314.00" in told
    told = _call("cost", "--songs", 60_000, "--cores", 1).stdout
    assert "waiting for the processor" in told
    assert "money" not in told
    found = json.loads(_call("cost", "--songs", 1000, "--json").stdout)
    assert found["read_tb"] == pytest.approx(0.0077)
