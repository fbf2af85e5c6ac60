"""``genrescope evaluate``, as a user runs it."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from bundle_maker import make_bundle
from cli_makers import genre_bundle, invoke
from click.testing import CliRunner

from genrescope.cli import app
from genrescope.data.gtzan import GENRES as GTZAN
from genrescope.data.gtzan import by_id, fault_filtered
from genrescope.lab.robustness import degradations as degrade
from genrescope.lab.robustness.degradations import DEGRADATIONS

run = partial(invoke, "evaluate")


@pytest.mark.slow
def test_degraded_music_is_measured_beside_the_clean(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {name: DEGRADATIONS[name] for name in ("telephone band", "gain -20 dB")}
    monkeypatch.setattr(degrade, "DEGRADATIONS", few)
    arguments = ["--data", work / "music", "--bundle", work / "bundle", "--degrade"]
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    clean, *rest = report["degradations"]
    assert clean["name"] == "clean"
    assert [row["name"] for row in rest] == list(few)
    assert report["split"]["part"] == "test"
    for row in rest:
        assert row["drop"] == pytest.approx(clean["accuracy"]["value"] - row["accuracy"]["value"])
    quiet = rest[1]
    assert quiet["accuracy"] == clean["accuracy"]
    shown = run(*arguments)
    assert shown.exit_code == 0
    assert "telephone band" in shown.stdout
    assert "median drop" in shown.stdout


@pytest.mark.slow
def test_what_cannot_be_degraded_is_said(work: Path) -> None:
    for arguments in (
        ["--data", work / "store", "--bundle", work / "bundle"],
        ["--data", work / "music", "--run", work / "run0"],
    ):
        result = run(*arguments, "--degrade")
        assert result.exit_code == 2
        assert "--degrade needs" in " ".join(result.stderr.split())


@pytest.mark.slow
def test_a_bundle_is_measured_on_features_and_on_audio_alike(work: Path) -> None:
    answers = []
    for data in ("store", "music"):
        result = run("--bundle", work / "bundle", "--data", work / data, "--json")
        assert result.exit_code == 0, result.output
        answers.append(json.loads(result.stdout))
    stored, decoded = answers
    assert stored["track"]["n"] == 18
    assert {row["track"] for row in stored["tracks"]} == {row["track"] for row in decoded["tracks"]}
    assert stored["confusion"] == decoded["confusion"]
    assert np.sum(stored["confusion"]) == 18
    for level in ("window", "track"):
        accuracy = stored[level]["accuracy"]
        assert accuracy["low"] <= accuracy["value"] <= accuracy["high"]
        assert 0 <= stored[level]["calibration_error"] <= 1


@pytest.mark.slow
def test_a_bundle_names_the_artists_it_learned_whatever_the_folder(
    work: Path, tmp_path: Path
) -> None:
    learned = genre_bundle(tmp_path / "b", tracks=["elsewhere/1.wav"], artists=["fado 0"])
    result = run("--bundle", learned.path, "--data", work / "store", "--json")
    assert "other tracks of 1 artists (fado 0)" in result.stderr
    assert json.loads(result.stdout)["seen"]["artists"] == ["fado 0"]
    assert json.loads(result.stdout)["seen"]["untold"] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": {"protocol": "artists", "seed": 0, "fold": 1}}, "differ in protocol"),
        ({"split": {"protocol": "tracks", "seed": 1, "fold": 1}}, "differ in seed of the split"),
        ({"split": {"protocol": "tracks", "seed": 0, "fold": 0}}, "differ in tracks"),
        ({"labels": ["fado", "polka", "rumba"]}, "differ in genres"),
    ],
)
def test_only_folds_of_one_experiment_are_put_together(
    work: Path, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    shutil.copytree(work / "run1", tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    (tmp_path / "run" / "config.json").write_text(json.dumps(config | change))
    result = run("--run", work / "run0", "--run", tmp_path / "run", "--data", work / "store")
    assert result.exit_code == 1
    assert message in result.stderr


@pytest.mark.slow
def test_runs_of_several_folds_are_put_together(work: Path) -> None:
    runs = ["--run", work / "run0", "--run", work / "run1"]
    result = run(*runs, "--data", work / "store", "--json")
    assert result.exit_code == 0, result.output
    both = json.loads(result.stdout)
    alone = json.loads(run(*runs[:2], "--data", work / "store", "--json").stdout)
    assert both["split"]["fold"] == [0, 1]
    assert alone["split"] == {**both["split"], "fold": 0}
    assert both["track"]["n"] > alone["track"]["n"]
    assert len({row["track"] for row in both["tracks"]}) == both["track"]["n"]
    assert both["seen"] is not None
    assert not set(both["seen"]["tracks"]) & {row["track"] for row in alone["tracks"]}


@pytest.mark.slow
def test_a_run_is_judged_by_windows_of_any_length(work: Path) -> None:
    usual, others = (
        json.loads(run("--run", work / "run0", "--data", work / "store", "--json", *more).stdout)
        for more in ((), ("--window", 1.5))
    )
    assert usual["window"]["n"] == usual["track"]["n"] == others["track"]["n"]
    assert others["window"]["n"] == 2 * usual["window"]["n"]


@pytest.mark.slow
def test_runs_of_a_fold_are_an_ensemble_and_each_fold_has_as_many(
    work: Path, tmp_path: Path
) -> None:
    shutil.copytree(work / "run0", tmp_path / "again")
    alone = json.loads(run("--run", work / "run0", "--data", work / "store", "--json").stdout)
    runs = ["--run", work / "run0", "--run", tmp_path / "again"]
    both = json.loads(run(*runs, "--data", work / "store", "--json").stdout)
    assert both["model"] == "run0 + again"
    assert both["split"] == alone["split"]
    assert both["track"]["log_loss"] == pytest.approx(alone["track"]["log_loss"])
    result = run(*runs, "--run", work / "run1", "--data", work / "store")
    assert result.exit_code == 1
    assert "fold 0 has 2 runs and fold 1 1; name as many for each" in result.stderr
    result = run(*runs[:2], *runs[:2], "--data", work / "store")
    assert result.exit_code == 1
    assert "is named twice" in result.stderr


@pytest.mark.slow
def test_the_last_epoch_of_a_run_is_judged_on_request(work: Path, tmp_path: Path) -> None:
    shutil.copytree(work / "run0", tmp_path / "run")
    state = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    state["average"]["head.weight"].zero_()
    state["average"]["head.bias"].copy_(torch.tensor([9.0, 0.0, 0.0]))
    torch.save(state, tmp_path / "run" / "checkpoint.pt")
    result = run("--run", tmp_path / "run", "--last", "--data", work / "store", "--json")
    assert result.exit_code == 0, result.output
    confusion = np.array(json.loads(result.stdout)["confusion"])
    assert confusion.sum() == confusion[:, 0].sum()


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["artists", "tracks"])
def test_two_files_of_the_same_bytes_are_on_one_side(
    work: Path, tmp_path: Path, protocol: str
) -> None:
    music = tmp_path / "music"
    shutil.copytree(work / "music", music)
    for i in range(3):
        shutil.copy(music / "fado" / f"{i}.wav", music / "fado" / f"copy {i}.wav")
        with (music / "artists.csv").open("a", encoding="utf-8") as file:
            file.write(f"fado/copy {i},guest {i}\n")
    common = ["--bundle", work / "bundle", "--data", music, "--split", protocol, "--json"]
    for fold in (0, 1):
        answer = json.loads(run(*common, "--fold", str(fold)).stdout)
        judged = {row["track"] for row in answer["tracks"]}
        for i in range(3):
            assert (f"fado/{i}.wav" in judged) == (f"fado/copy {i}.wav" in judged)


@pytest.mark.slow
def test_the_test_tracks_of_gtzan_are_said_to_be_absent(tmp_path: Path) -> None:
    part_of = fault_filtered()
    chosen = [
        [t for t in by_id() if part_of[t] == part and t.startswith(genre)][:2]
        for part in ("train", "valid")
        for genre in GTZAN
    ]
    ids = [track for tracks in chosen for track in tracks]
    rng = np.random.default_rng(0)
    mel = rng.integers(0, 256, (len(ids), 128, 80), dtype=np.uint8)
    store = tmp_path / "mel.npz"
    np.savez(store, track=np.array(ids), genre=np.array([t.split(".")[0] for t in ids]), mel=mel)
    ten = make_bundle(tmp_path / "ten")
    common = ["--bundle", ten.path, "--data", store]
    valid = run(*common)
    assert valid.exit_code == 0, valid.output
    assert "fault-filtered, fold 0, valid" in valid.stdout
    assert "290 tracks of its test part are absent" in " ".join(valid.stdout.split())
    out = tmp_path / "run"
    options = ["--net", "bigru", "--epochs", "1", "--data", str(store), "--out", str(out)]
    trained = CliRunner().invoke(app, ["train", *options])
    assert trained.exit_code == 0, trained.output
    judged = run("--run", out, "--data", store)
    for text in (trained.stderr, judged.stdout):
        assert "290 tracks of its test part are absent" in " ".join(text.split())
    test = run(*common, "--part", "test")
    assert test.exit_code == 1
    assert "no track of its test part is here" in test.stderr
    # Without its train part a list can be judged by, and not learned.
    alone = slice(len(ids) // 2, None)
    genres = np.array([t.split(".")[0] for t in ids[alone]])
    np.savez(store, track=np.array(ids[alone]), genre=genres, mel=mel[alone])
    valid = run(*common)
    assert valid.exit_code == 0, valid.output
    assert "fault-filtered, fold 0, valid" in valid.stdout
    options[-1] = str(tmp_path / "none")
    untrained = CliRunner().invoke(app, ["train", *options])
    assert untrained.exit_code == 1
    assert "train lacks blues" in untrained.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--part", "exam"], 2, "no part 'exam'"),
        (["--split", "tracks", "--fold", "9"], 2, "folds 0 to"),
        (["--run", "run0"], 2, "choose one"),
        (["--last"], 2, "--last is of runs"),
        (["--table", "x.md"], 2, "--table is of --explain"),
        (["--window", "3"], 2, "--window is of runs"),
        (["--split", "nonsense"], 2, "fault-filtered, all"),
    ],
)
def test_wrong_wishes_are_errors_in_words(
    work: Path, options: list[str], code: int, message: str
) -> None:
    result = run("--bundle", work / "bundle", "--data", work / "store", *options)
    assert result.exit_code == code
    assert message in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--split", "--fold", "--split-seed"])
def test_a_run_is_judged_by_its_own_split(work: Path, option: str) -> None:
    wish = "tracks" if option == "--split" else 1
    result = run("--run", work / "run0", "--data", work / "store", option, wish)
    assert result.exit_code == 2
    assert f"leave {option} out" in " ".join(result.stderr.split())


@pytest.mark.slow
def test_a_bundle_of_other_genres_is_refused(work: Path, tiny_bundle: Path) -> None:
    result = run("--bundle", tiny_bundle, "--data", work / "store")
    assert result.exit_code == 1
    assert "does not know fado, polka, tango" in result.stderr
