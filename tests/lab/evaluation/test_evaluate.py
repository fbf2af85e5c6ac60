"""Bundles and runs measured from Python, without the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from lab_makers import GENRES, bands_store, begin, music_of

from genrescope.audio.confined import ConfinedDecoder
from genrescope.data.splits import make_split
from genrescope.errors import GenrescopeError
from genrescope.lab.evaluation.evaluate import (
    Selection,
    evaluate_bundle,
    evaluate_robustness,
    evaluate_runs,
)
from genrescope.lab.evaluation.music import open_music
from genrescope.lab.robustness import degradations
from genrescope.lab.training.recipe import Recipe
from genrescope.lab.training.run import Run
from genrescope.model.bundle import Bundle

RECIPE = Recipe(net="cnn", options={"width": 4}, window_s=1.5, epochs=1, batch_size=16)


@pytest.mark.slow
def test_a_bundle_is_judged_by_recordings(recordings: Path, bundle: Bundle) -> None:
    done: list[int] = []
    report = evaluate_bundle(
        bundle, open_music([recordings]), progress=lambda n, total, name: done.append(n)
    )
    assert report.evaluation.track.n == done[-1] == 18
    (trial,) = report.trials
    assert (trial.split.protocol, trial.part) == ("all", "test")
    assert trial.overlap is not None
    assert trial.overlap.tracks == ("fado/0.wav",)
    written = report.to_dict()
    assert written["data"] == str(recordings)
    assert written["seen"]["tracks"] == ["fado/0.wav"]
    assert written["track"]["n"] == 18


@pytest.mark.slow
def test_a_recording_is_decoded_once_for_all_of_its_windows(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    for genre in GENRES:
        (tmp_path / genre).mkdir()
        for i in range(4):
            sf.write(tmp_path / genre / f"{i}.wav", rng.uniform(-0.1, 0.1, 20 * 8000), 8000)
    decoded: list[str] = []

    def decode(decoder: ConfinedDecoder, path: Path, **options: Any) -> Any:
        decoded.append(str(path))
        return original(decoder, path, **options)

    original = ConfinedDecoder.decode
    monkeypatch.setattr(ConfinedDecoder, "decode", decode)
    report = evaluate_bundle(bundle, open_music([tmp_path]), Selection("windows", "train"))
    assert report.evaluation.window.n > report.evaluation.track.n
    assert len(decoded) == len(set(decoded)) == report.evaluation.track.n


def test_intervals_are_drawn_by_the_seed(bundle: Bundle) -> None:
    music = music_of(bands_store())
    first, again, other = (
        evaluate_bundle(bundle, music, Selection("tracks"), seed=seed).evaluation.to_dict()
        for seed in (0, 0, 1)
    )
    assert first == again
    assert first["tracks"] == other["tracks"]


@pytest.mark.slow
def test_runs_of_one_experiment_are_put_together(tmp_path: Path) -> None:
    store = bands_store()
    split = make_split("tracks", store.facts, n_folds=3)
    for fold in (0, 1):
        begin(store, split, RECIPE, fold=fold, seed=0, out=tmp_path / str(fold)).run()
    runs = [Run.load(tmp_path / str(fold)) for fold in (0, 1)]
    report = evaluate_runs(runs, music_of(store))
    judged = {*split.folds[0].test, *split.folds[1].test}
    assert set(report.evaluation.members) == judged
    assert [trial.fold for trial in report.trials] == [0, 1]
    assert report.to_dict()["seen"]["tracks"] == []
    other = replace(RECIPE, options={"width": 8})
    begin(store, split, other, fold=1, seed=0, out=tmp_path / "other").run()
    with pytest.raises(GenrescopeError, match="differ in recipe"):
        evaluate_runs([runs[0], Run.load(tmp_path / "other")], music_of(store))


@pytest.mark.slow
def test_disturbed_recordings_are_measured_beside_the_clean(
    recordings: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    quieter = {"gain -20 dB": degradations.DEGRADATIONS["gain -20 dB"]}
    monkeypatch.setattr(degradations, "DEGRADATIONS", quieter)
    report = evaluate_robustness(bundle, open_music([recordings]))
    assert [row.name for row in report.rows] == ["clean", "gain -20 dB"]
    assert report.rows[1].drop == pytest.approx(0)
    assert report.to_dict()["degradations"][0]["n"] == 18


def test_features_cannot_be_disturbed(bundle: Bundle) -> None:
    with pytest.raises(GenrescopeError, match="is a feature store"):
        evaluate_robustness(bundle, music_of(bands_store()))
