"""Figures as they are printed: what is leaky or left out is told beside them."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from bundle_maker import make_bundle, tiny_onnx
from cli_makers import genre_bundle, invoke
from lab_makers import GENRES

from genrescope.cli.figures import explanations_table
from genrescope.lab.evaluation.explanations import Faithfulness

run = partial(invoke, "evaluate")


@pytest.mark.slow
def test_it_is_loud_about_tracks_and_artists_it_has_heard(work: Path, tmp_path: Path) -> None:
    result = run("--bundle", work / "bundle", "--data", work / "store")
    assert "WARNING" in result.stderr
    assert "1 of these tracks (fado/0.wav)" in result.stderr
    assert "fado 0" in result.stderr
    assert "truth" in result.stdout
    strange = genre_bundle(tmp_path / "b", tracks=["another/1.wav"])
    quiet = run("--bundle", strange.path, "--data", work / "store", "--json")
    assert "WARNING" not in quiet.stderr
    nothing = json.loads(quiet.stdout)["seen"]
    assert nothing["tracks"] == nothing["repeats"] == nothing["artists"] == []
    assert len(nothing["untold"]) == 18  # it does not name the artist of what it learned
    assert "it cannot be told" in quiet.stderr
    silent = make_bundle(
        tmp_path / "c", training={}, onnx_bytes=tiny_onnx(n_classes=3), labels=GENRES
    )
    assert "does not say" in run("--bundle", silent.path, "--data", work / "store").stderr


@pytest.mark.slow
def test_windows_are_called_leaky(work: Path) -> None:
    common = ["--bundle", work / "bundle", "--split", "windows", "--data"]
    result = run(*common, work / "store")
    assert result.exit_code == 0, result.output
    assert "leaky" in result.stdout
    assert "leaky" in result.stderr
    audio = run(*common, work / "music", "--json")
    assert audio.exit_code == 0, audio.output
    assert json.loads(audio.stdout)["split"]["leaky"] is True


@pytest.mark.slow
def test_a_genre_s_name_is_shown_as_it_is(work: Path, tmp_path: Path) -> None:
    shutil.copytree(work / "music", tmp_path / "music")
    labels = [f"{genre} [old]" for genre in GENRES]
    for genre, label in zip(GENRES, labels, strict=True):
        (tmp_path / "music" / genre).rename(tmp_path / "music" / label)
    (tmp_path / "music" / "artists.csv").unlink(missing_ok=True)
    make_bundle(tmp_path / "bundle", onnx_bytes=tiny_onnx(n_classes=3), labels=labels)
    result = run("--data", tmp_path / "music", "--bundle", tmp_path / "bundle", "--split", "all")
    assert result.exit_code == 0, result.output
    for label in labels:
        assert label in result.stdout


@pytest.mark.slow
def test_what_could_not_be_judged_is_named_whatever_the_split(work: Path, tmp_path: Path) -> None:
    shutil.copytree(work / "music", tmp_path / "music")
    (tmp_path / "music" / "fado" / "broken.mp3").write_bytes(b"no audio")
    arguments = ("--data", tmp_path / "music", "--bundle", work / "bundle", "--json")
    for split in ("all", "tracks"):
        result = run(*arguments, "--split", split)
        assert result.exit_code == 0, result.output
        assert list(json.loads(result.stdout)["failed"]) == ["fado/broken.mp3"]
        assert "fado/broken.mp3" in result.stderr
        assert "left out" in result.stderr


def test_the_table_of_explanations_says_what_is_kept() -> None:
    found = Faithfulness(20, 0.25, 0.75, 0.5, 0.64, 0.4, 0.7, 0.95, 0.71, 0.03)
    trial = SimpleNamespace(model="mine")
    report = SimpleNamespace(faithfulness=found, trial=trial, title="all of it")
    table = explanations_table(report, "genrescope evaluate --explain")  # type: ignore[arg-type]
    rows = [line for line in table.splitlines() if line.startswith("| ")]
    assert "| 0.250 | 0.500 | 0.400 | random less .17: 0.330 | yes |" in rows[1]
    assert rows[2].endswith("| random and .12: 0.760 | no |")
    assert [row.split(" | ")[-1] for row in rows[4:]] == ["yes |", "no |", "yes |"]
    assert "genrescope evaluate --explain" in table
