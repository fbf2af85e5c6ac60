"""The figures of a collection are measured as they say, at sizes too small to mean anything."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from audio_makers import encoded
from bundle_maker import LABELS
from library_makers import tune

from benchmarks.collection import main
from benchmarks.collection_quality import Judged, oddities, tags, together
from benchmarks.collection_similar import SHIPPED, neighbours, weighted, weights_by_folds
from genrescope.library.vectors import joined
from genrescope.model.bundle import Bundle


def _table(text: str) -> dict[str, list[str]]:
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {row[0]: row[1:] for row in rows[1:]}


@pytest.mark.slow
def test_scale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--files", "60", "--songs", "2000", "--folder", str(tmp_path)]
    main(["scale", *sizes])
    table = _table(capsys.readouterr().out)
    assert "first scan of 60 files, tags read" in table
    assert table["a list of 50 songs from 2,000, imports included"][1] == "<= 2 s"
    assert len(list((tmp_path / "tree").rglob("*.mp3"))) == 60


@pytest.mark.slow
def test_quality(tmp_path: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    n = 200
    names = np.array([f"t{i}" for i in range(n)])
    np.savez(tmp_path / "s.npz", track=names, mel=rng.integers(0, 255, (n, 128, 40), np.uint8))
    with (tmp_path / "t.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["track", "genre", "artist", "certain", "artist_in_gtzan"])
        for i in range(n):
            known = "train" if i == 7 else ""
            writer.writerow(
                [f"t{i}", LABELS[i % 2], f"a{i // 2}", "no" if i == 3 else "yes", known]
            )
    data = ["--data", str(tmp_path / "s.npz"), str(tmp_path / "t.csv")]
    main(["quality", *data, "--bundle", str(tiny_bundle)])
    table = _table(capsys.readouterr().out)
    assert "accuracy on the 198 tracks" in table
    assert any(what.startswith("learn: 20 tracks of 2 genres") for what in table)


@pytest.mark.slow
def test_duplicates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "jazz").mkdir()
    for seed in range(2):
        (tmp_path / "jazz" / f"{seed}.flac").write_bytes(encoded("flac", tune(seed), 22_050))
    main(["duplicates", "--music", str(tmp_path)])
    table = _table(capsys.readouterr().out)
    (apart,) = (row for what, row in table.items() if "false among 1 pairs of one genre" in what)
    assert apart[0].startswith("0, the nearest")
    (recall,) = (row for what, row in table.items() if "recall over" in what)
    assert recall[0].startswith("1.000")
    whole = table["duplicates among 12 files, scanned, judged and grouped"]
    assert whole[0].endswith(", 0 false pairs")


def _judged(probs: np.ndarray, labels: np.ndarray) -> Judged:
    n = len(labels)
    return Judged(
        labels=labels,
        artists=np.array([f"a{i // 2}" for i in range(n)]),
        probs=probs.astype(np.float32),
        embedding=probs.astype(np.float32),
        sets=probs > 0.3,
        plain=np.ones(n, bool),
    )


def test_a_model_that_knows_everything_has_full_marks(tiny_bundle: Path) -> None:
    labels = np.arange(200) % 10
    judged = _judged(np.eye(10)[labels], labels)
    parts = (tags([judged], Bundle.load(tiny_bundle)), oddities(judged), neighbours([judged]))
    figures = {figure.what: figure for part in parts for figure in part}
    assert figures["precision of the genres that tags plan would write"].value.startswith("1.000")
    assert figures["odd: AUC of planted wrong labels"].value == "1.000"
    assert figures["odd: false alarms"].value == "0.000"
    assert figures["odd: planted labels found"].value == "1.000"
    assert figures["similar: genre precision at 10, with an artist filter"].value == "1.000"


def test_songs_are_compared_as_is_measured_and_by_what_other_folds_choose() -> None:
    labels = np.arange(200) % 10
    judged = _judged(np.random.default_rng(0).dirichlet(np.full(10, 0.2), 200), labels)
    np.testing.assert_allclose(
        weighted(judged, SHIPPED), joined(judged.embedding, judged.probs), atol=1e-6
    )
    knowing = replace(judged, embedding=np.eye(10, dtype=np.float32)[labels])
    figures = {figure.what: figure.value for figure in weights_by_folds([knowing, knowing])}
    assert figures["similar: the same by weights that the other folds chose"].startswith("1.000")
    assert figures["similar: weights that all folds choose"].startswith("1.0 embedding")


def test_a_model_that_guesses_does_not_meet_the_goals(tiny_bundle: Path) -> None:
    labels = np.arange(200) % 10
    guesses = np.random.default_rng(0).dirichlet(np.full(10, 0.2), 200)
    judged = _judged(guesses, labels)
    parts = (tags([judged], Bundle.load(tiny_bundle)), oddities(judged))
    met = [figure.met for part in parts for figure in part]
    assert False in met
    assert True not in met[:2]


def test_of_several_folds_the_others_tell_which_genres_are_sure(tiny_bundle: Path) -> None:
    labels = np.arange(200) % 10
    right, wrong = np.eye(10)[labels], np.eye(10)[np.where(labels == 3, 4, labels)]
    folds = [_judged(right, labels), _judged(wrong, labels)]
    accuracy, written = tags(folds, Bundle.load(tiny_bundle))
    assert accuracy.value == "0.950"
    # The first fold learns from the second that 4 is not sure (half is 3), the second nothing.
    assert written.value == "0.944 (360 tracks, 90%)"
    assert written.met is True
    assert next(iter(oddities(together(folds)))).value.startswith("0.9")
