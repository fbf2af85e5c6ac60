"""``genrescope train``, as a user runs it."""

from __future__ import annotations

import csv
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from cli_makers import invoke
from click.testing import CliRunner

from genrescope.cli import app
from genrescope.data import build
from genrescope.data.store import FeatureStore
from genrescope.lab.training.run import Run

run = partial(invoke, "train")


@pytest.mark.slow
def test_a_store_is_learned_and_the_run_read_back(work: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = run("--data", work / "store", "--recipe", work / "recipe.toml", "--out", out)
    assert result.exit_code == 0, result.output
    assert "epoch 3/3" in result.stderr
    assert "tracks: " in result.stderr
    assert "the epoch that is kept" in result.stdout
    kept = Run.load(out)
    assert kept.labels == ("fado", "polka", "tango")
    assert kept.config["split"]["protocol"] == "tracks"
    with (out / "metrics.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 3


@pytest.mark.slow
def test_several_sets_are_learned_and_judged_together(work: Path, tmp_path: Path) -> None:
    """Bands and hums: other genres, but artists of the same names, whom no split may part."""
    folder = tmp_path / "other"
    hums = FeatureStore.load(work / "store")
    mel = np.random.default_rng(0).integers(0, 256, (12, 128, 40), dtype=np.uint8)
    folder.mkdir()
    np.savez(folder / "mel.npz", track=[f"w{i}" for i in range(12)], genre=["waltz"] * 12, mel=mel)
    rows = [f"w{i},waltz,{'polka 1' if i == 0 else f'waltz {i // 2}'}" for i in range(12)]
    (folder / "tracks.csv").write_text("\n".join(["track,genre,artist", *rows]) + "\n")
    both = ("--data", work / "store", "--data", folder / "mel.npz")
    out = tmp_path / "run"
    result = run(*both, "--split", "artists", "--recipe", work / "recipe.toml", "--out", out)
    assert result.exit_code == 0, result.output
    kept = Run.load(out)
    assert kept.labels == ("fado", "polka", "tango", "waltz")
    assert kept.config["data"] == f"{work.name}/store + other/mel.npz"
    (shared,) = [
        part for part, members in kept.fold.parts().items() if any(m == "w0" for m in members)
    ]
    polka = {t.track_id for t in hums.facts if t.artist == "polka 1"}
    assert polka
    assert polka <= set(kept.fold.parts()[shared])
    judged = CliRunner().invoke(
        app, ["evaluate", *map(str, both), "--run", str(out), "--json"], catch_exceptions=False
    )
    assert judged.exit_code == 0, judged.output
    report = json.loads(judged.stdout)
    assert report["data"] == f"{work / 'store'} + {folder / 'mel.npz'}"
    assert {row["track"] for row in report["tracks"]} == set(kept.fold.test)


@pytest.mark.slow
def test_some_of_the_genres_are_learned_alone(work: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    how = ["--recipe", work / "recipe.toml", "--epochs", "1", "--out", out]
    result = run("--data", work / "store", "--genres", "polka, fado", *how)
    assert result.exit_code == 0, result.output
    assert Run.load(out).labels == ("fado", "polka")


@pytest.mark.slow
def test_the_valid_part_can_be_learned_as_well(work: Path, tmp_path: Path) -> None:
    common = ["--data", work / "store", "--recipe", work / "recipe.toml", "--epochs", 1]
    common += ["--split", "artists", "--fold", 1]
    with_valid = run(*common, "--out", tmp_path / "a")
    without = run(*common, "--no-valid", "--out", tmp_path / "b")
    assert without.exit_code == 0, without.output
    assert "the last epoch is kept" in without.stderr
    held_back, learned = Run.load(tmp_path / "a").fold, Run.load(tmp_path / "b").fold
    assert with_valid.exit_code == 0
    assert held_back.valid
    assert learned.valid == ()
    assert set(learned.train) == {*held_back.train, *held_back.valid}
    assert learned.test == held_back.test
    mixed = run(*common, "--out", tmp_path / "b", "--resume")
    assert mixed.exit_code == 1
    assert "another set of clips" in mixed.stderr


@pytest.mark.slow
def test_runs_teach_another(work: Path, tmp_path: Path) -> None:
    common = ["--data", work / "store", "--recipe", work / "recipe.toml", "--epochs", 1]
    for seed in (0, 1):
        assert run(*common, "--seed", seed, "--out", tmp_path / str(seed)).exit_code == 0
    learned_from = ["--teacher", tmp_path / "0", "--teacher", tmp_path / "1"]
    learned_from += ["--start", tmp_path / "1"]
    result = run(*common, *learned_from, "--out", tmp_path / "taught")
    assert result.exit_code == 0, result.output
    assert "taught by 2 runs" in result.stderr
    config = Run.load(tmp_path / "taught").config
    assert [teacher["seed"] for teacher in config["teachers"]] == [0, 1]
    assert config["start"] == config["teachers"][1]
    other = run(*common, *learned_from, "--fold", 1, "--out", tmp_path / "other")
    assert other.exit_code == 1
    assert str(tmp_path / "0") in other.stderr
    assert "same split and fold" in other.stderr
    missing = run(*common, "--teacher", tmp_path / "2", "--out", tmp_path / "other")
    assert missing.exit_code == 1
    assert "is no run of genrescope train" in missing.stderr


@pytest.mark.slow
def test_a_folder_of_music_is_prepared_once(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = ["--data", work / "music", "--recipe", work / "recipe.toml", "--epochs", 1]
    first = run(*common, "--split", "all", "--out", tmp_path / "a")
    assert first.exit_code == 0, first.output
    store = tmp_path / "music-mel"
    assert str(store) in first.stdout
    computed: list[object] = []
    monkeypatch.setattr(
        build, "decode_clips", lambda todo, *_, **__: (computed.append(t) for t in todo)
    )
    second = run(*common, "--split", "artists", "--out", tmp_path / "b")
    assert second.exit_code == 0, second.output
    assert computed == []
    assert Run.load(tmp_path / "a").fold.train == FeatureStore.load(store).tracks
    assert json.loads((tmp_path / "b" / "config.json").read_text())["recipe"]["epochs"] == 1


@pytest.mark.slow
def test_the_waveform_itself_is_learned(work: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "raw.toml"
    off = ("shift_bands", "stretch", "equaliser", "contrast", "noise", "mixup")
    off += ("band_limit", "reverb", "style")
    recipe.write_text(
        'net = "m5"\nepochs = 1\nexcerpts = 1\nbatch_size = 8\nwindow_s = 0.5\n'
        + "options = { width = 4 }\n[augment]\nmasks = 0\n"
        + "".join(f"{name} = 0.0\n" for name in off)
    )
    common = ["--data", work / "music", "--input", "waveform", "--out", tmp_path / "run"]
    result = run(*common, "--recipe", recipe)
    assert result.exit_code == 0, result.output
    assert Run.load(tmp_path / "run").config["recipe"]["net"] == "m5"
    with (tmp_path / "run" / "metrics.csv").open() as file:
        assert 0 < float(next(csv.DictReader(file))["valid_loss"]) < 20
    assert "of spectrograms" in run(*common, "--recipe", work / "recipe.toml").stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--net", "perceptron"], "no net 'perceptron'"),
        (["--net", "m5"], "takes waveform, not mel"),
        (["--input", "stft"], "holds mel, not stft"),
        (["--split", "fault-filtered"], "is no GTZAN track"),
        (["--fold", "7"], "folds 0 to"),
        (["--genres", "polka,rumba"], "holds no track of 'rumba'"),
    ],
)
def test_wrong_wishes_are_errors_in_words(
    work: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    result = run("--data", work / "store", "--out", tmp_path / "run", *options)
    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.slow
def test_an_unknown_split_is_a_wrong_command(work: Path, tmp_path: Path) -> None:
    common = ["--data", work / "store", "--out", tmp_path / "run"]
    result = run(*common, "--split", "nonsense")
    assert result.exit_code == 2
    assert "fault-filtered, all" in " ".join(result.stderr.split())


@pytest.mark.slow
def test_an_unknown_input_is_a_wrong_command(work: Path, tmp_path: Path) -> None:
    result = run("--data", work / "store", "--out", tmp_path / "run", "--input", "cepstrum")
    assert result.exit_code == 2
    assert "no input 'cepstrum'" in result.stderr
