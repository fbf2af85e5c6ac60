"""``genrescope reproduce``, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from lab_makers import music_folder

from genrescope.cli import app
from genrescope.errors import GenrescopeError
from genrescope.reproduction import cells as cells_module
from genrescope.reproduction.results import read_results


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["reproduce", *map(str, arguments)])


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return music_folder(tmp_path_factory.mktemp("work") / "music", 8)


@pytest.mark.slow
def test_raw_stft_and_mel_of_the_same_clips(music: Path, tmp_path: Path) -> None:
    common = ["--data", music, "--out", tmp_path / "out", "--quick", "--only"]
    result = run(*common, "tracks/audio-*/knn-10/*")
    assert result.exit_code == 0, result.output
    assert "3 cells, 0 of them done" in result.stderr
    results = read_results(tmp_path / "out")
    assert {r["input"] for r in results.values()} == {"raw", "stft", "mel"}
    judged = [r["answers"]["members"] for r in results.values()]
    assert judged[0] == judged[1] == judged[2]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Baselines on waveform, STFT and mel" in page
    net = run(*common, "tracks/audio-raw/m5/*")
    assert net.exit_code == 0, net.output
    assert "M weights" in (tmp_path / "out" / "input-nets.csv").read_text()


@pytest.mark.slow
def test_what_is_done_is_not_done_again(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = ["--data", music, "--out", tmp_path / "out", "--quick"]
    common += ["--only", "tracks/all-mel/[ks]*/*"]
    original = cells_module._result

    def stop_at_svm(cell: object, *rest: object) -> dict[str, object]:
        if "svm" in cell.id:  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        return original(cell, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(cells_module, "_result", stop_at_svm)
    stopped = run(*common)
    assert stopped.exit_code == 130
    assert "1 of 4 cells are left" in stopped.stderr
    assert "svm" not in (tmp_path / "out" / "baselines.csv").read_text()
    monkeypatch.undo()
    again = run(*common)
    assert again.exit_code == 0
    assert "4 cells, 3 of them done" in again.stderr
    assert "svm" in (tmp_path / "out" / "baselines.csv").read_text()
    assert "20 neighbours are asked for" in (tmp_path / "out" / "report.html").read_text()
    listed = run(*common, "--list").stdout.splitlines()
    assert len(listed) == 4
    assert all(line.endswith("done") for line in listed)


@pytest.mark.slow
def test_a_damaged_result_is_computed_again(music: Path, tmp_path: Path) -> None:
    common = ["--data", music, "--out", tmp_path / "out", "--quick", "--only"]
    assert run(*common, "tracks/all-mel/knn-1[05]/*").exit_code == 0
    cell = tmp_path / "out" / "cells" / "tracks__all-mel__knn-10__seed0.json"
    cell.write_bytes(cell.read_bytes()[:300])
    again = run(*common, "tracks/all-mel/knn-1[05]/*")
    assert again.exit_code == 0, again.output
    assert "2 cells, 1 of them done" in again.stderr
    (tmp_path / "out" / "plan.json").write_text("{")
    damaged = run(*common, "tracks/all-mel/knn-10/*")
    assert damaged.exit_code == 1
    assert "plan.json: is damaged" in damaged.stderr


@pytest.mark.slow
def test_sound_that_is_not_there_is_said_at_once(music: Path, tmp_path: Path) -> None:
    common = ["--data", music, "--out", tmp_path / "out", "--quick"]
    result = run(*common, "--audio", tmp_path / "nowhere")
    assert result.exit_code == 1
    assert "no such folder" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_cell_that_fails_leaves_a_report_of_the_others(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = cells_module._result

    def fail_at_svm(cell: object, *rest: object) -> dict[str, object]:
        if "svm" in cell.id:  # type: ignore[attr-defined]
            raise GenrescopeError("no room on the disk")
        return original(cell, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(cells_module, "_result", fail_at_svm)
    common = ["--data", music, "--out", tmp_path / "out", "--quick"]
    result = run(*common, "--only", "tracks/all-mel/[ks]*/*")
    assert result.exit_code == 1
    assert "no room on the disk" in result.stderr
    assert "knn-10" in (tmp_path / "out" / "baselines.csv").read_text()


@pytest.mark.slow
def test_a_budget_leaves_the_rest_for_later(music: Path, tmp_path: Path) -> None:
    common = ["--data", music, "--out", tmp_path / "out", "--quick"]
    result = run(*common, "--only", "tracks/all-mel/knn*/*", "--budget", 0)
    assert result.exit_code == 0
    assert "3 of 3 cells are left" in result.stderr


@pytest.mark.slow
def test_a_store_alone_gives_the_mel_cells(music: Path, tmp_path: Path) -> None:
    built = ["dataset", "build", str(music), "--out", str(tmp_path / "store")]
    assert CliRunner().invoke(app, [*built, "--hop-length", "1708"]).exit_code == 0
    listed = run("--data", tmp_path / "store", "--out", tmp_path / "out", "--list")
    assert listed.exit_code == 0
    assert "windows/all-mel/res-bigru/seed2" in listed.stdout
    assert "audio" not in listed.stdout
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def wide(music: Path) -> Path:
    """A mel store with twice the hop of the shipped model's."""
    built = ["dataset", "build", str(music), "--out", str(music.parent / "wide")]
    assert CliRunner().invoke(app, [*built, "--hop-length", "3416"]).exit_code == 0
    return music.parent / "wide"


@pytest.mark.slow
def test_the_frames_of_the_report_are_the_store_s(music: Path, wide: Path, tmp_path: Path) -> None:
    only = ["--quick", "--only", "tracks/*-mel/knn-10/*"]
    alone = run("--data", wide, "--out", tmp_path / "alone", *only)
    assert alone.exit_code == 0, alone.output
    page = (tmp_path / "alone" / "report.html").read_text()
    assert "Here there are 6.5 a second.</li>" in page
    both = run("--data", wide, "--audio", music, "--out", tmp_path / "both", *only)
    assert both.exit_code == 0, both.output
    page = (tmp_path / "both" / "report.html").read_text()
    assert "6.5 a second in the feature store, and 12.9 for mel and STFT" in page
    of_music = run("--data", music, "--out", tmp_path / "music", *only)
    assert of_music.exit_code == 0, of_music.output
    page = (tmp_path / "music" / "report.html").read_text()
    assert "Here there are 12.9 a second, for mel and STFT." in page


@pytest.mark.slow
def test_a_store_of_other_features_is_another_experiment(wide: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "plan.json").write_text(json.dumps({"data": "wide", "quick": False, "effort": 1.0}))
    result = run("--data", wide, "--out", out)
    assert result.exit_code == 1
    assert "another experiment" in result.stderr


@pytest.mark.slow
def test_music_that_has_changed_is_another_experiment(tmp_path: Path) -> None:
    music = music_folder(tmp_path / "music", 4)
    common = ["--data", music, "--out", tmp_path / "out", "--quick"]
    common += ["--only", "tracks/all-mel/knn-10/*"]
    assert run(*common).exit_code == 0
    (music / "artists.csv").unlink()
    changed = run(*common)
    assert changed.exit_code == 1
    assert "other tracks, genres or artists" in changed.stderr
    plan = json.loads((tmp_path / "out" / "plan.json").read_text())
    del plan["tracks"]  # as an earlier version wrote it
    (tmp_path / "out" / "plan.json").write_text(json.dumps(plan))
    assert run(*common).exit_code == 0


@pytest.mark.slow
def test_an_stft_store_is_refused_in_words(music: Path, tmp_path: Path) -> None:
    built = ["dataset", "build", str(music), "--out", str(tmp_path / "stft")]
    assert CliRunner().invoke(app, [*built, "--stft", "--n-fft", "256"]).exit_code == 0
    result = run("--data", tmp_path / "stft", "--out", tmp_path / "out", "--quick")
    assert result.exit_code == 1
    assert f"{tmp_path / 'stft'}: holds stft, not mel" in result.stderr
    assert "--stft" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_what_had_another_recipe_is_not_done_and_not_in_the_report(
    music: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    common = ["--data", music, "--out", out, "--quick", "--only"]
    first = run(*common, "tracks/audio-raw/m5/*")
    assert first.exit_code == 0, first.output
    listed = run(*common, "tracks/audio-raw/m5/*", "--list").stdout.splitlines()
    assert [line.endswith("done") for line in listed] == [True]
    (path,) = (out / "cells").iterdir()
    result = json.loads(path.read_text())
    result["recipe"]["epochs"] += 1
    path.write_text(json.dumps(result))
    listed = run(*common, "tracks/audio-raw/m5/*", "--list").stdout.splitlines()
    assert [line.endswith("done") for line in listed] == [False]
    other = run(*common, "tracks/all-mel/knn-10/*")
    assert other.exit_code == 0, other.output
    assert "1 left out of the report (another recipe): tracks/audio-raw/m5/seed0" in other.stderr
    assert ">m5<" not in (out / "report.html").read_text()
    again = run(*common, "tracks/audio-raw/m5/*")
    assert "1 cells, 0 of them done" in again.stderr
    assert ">m5<" in (out / "report.html").read_text()
    assert "another recipe" not in again.stderr


@pytest.mark.slow
def test_wrong_wishes_are_errors_in_words(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    common = ["--data", music, "--out", out]
    nothing = run(*common, "--only", "nothing")
    assert nothing.exit_code == 1
    assert "no cell is named" in nothing.stderr
    out.mkdir()
    (out / "plan.json").write_text(json.dumps({"data": "music", "quick": True, "effort": 1.0}))
    other = run(*common, "--only", "tracks/all-mel/knn-10/*")
    assert other.exit_code == 1
    assert "another experiment" in other.stderr
