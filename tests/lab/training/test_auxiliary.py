"""Tempo and key beside the genre: labels move with the excerpts, and only what is known counts."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lab_makers import SMALL_CNN, begin_training

from genrescope.data.store import FeatureStore
from genrescope.errors import DatasetError
from genrescope.features.rhythm import N_TEMPI, tempi
from genrescope.lab.run_folder import CHECKPOINT
from genrescope.lab.training import auxiliary
from genrescope.lab.training.augment import Moves
from genrescope.lab.training.auxiliary import AuxiliaryTasks, annotated, key_targets, tempo_targets
from genrescope.lab.training.recipe import Recipe
from genrescope.lab.training.run import Run

BOTH = Recipe(tempo=0.5, key=0.25)
MEMBERS = ("a", "b#1", "c")


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(auxiliary._KNOWN, "tempo", lambda: {"a": 120.0, "b": 60.0})
    monkeypatch.setitem(auxiliary._KNOWN, "key", lambda: {"a": 3.0, "c": 14.0})


def _moves(*, rate: list[float] | None = None, shift: list[float] | None = None) -> Moves:
    return Moves(torch.tensor(rate or [1.0] * 3), torch.tensor(shift or [0.0] * 3))


@pytest.mark.usefixtures("known")
def test_windows_have_what_is_known_of_their_track() -> None:
    found = annotated(BOTH, MEMBERS)
    assert found["tempo"].tolist()[:2] == [120.0, 60.0]
    assert found["tempo"].isnan().tolist() == [False, False, True]
    assert found["key"].isnan().tolist() == [False, True, False]
    assert annotated(Recipe(), MEMBERS) == {}
    assert list(annotated(Recipe(key=1.0), MEMBERS)) == ["key"]
    with pytest.raises(DatasetError, match="tempo is to be learned, and of no track"):
        annotated(BOTH, ("c",))


def test_a_faster_excerpt_has_a_faster_tempo() -> None:
    bpm = torch.tensor([100.0, 100.0, 100.0, math.nan, 200.0])
    moves = Moves(torch.tensor([1.0, 1.2, 0.9, 1.0, 1.5]), torch.zeros(5))
    targets = tempo_targets(bpm, moves)
    assert targets.shape == (5, N_TEMPI)
    peaks = [float(tempi()[row.argmax()]) for row in targets[:3]]
    assert peaks == pytest.approx([100.0, 120.0, 90.0], rel=0.006)
    assert targets.sum(dim=1).tolist() == pytest.approx([1, 1, 1, 0, 0])


def test_a_shifted_excerpt_has_no_key() -> None:
    key = torch.tensor([3.0, 3.0, math.nan, 23.0])
    moves = Moves(torch.ones(4), torch.tensor([0.0, -0.7, 0.0, 0.4]))
    targets = key_targets(key, moves)
    assert targets.sum(dim=1).tolist() == [1, 0, 0, 1]
    assert targets[[0, 3]].argmax(dim=1).tolist() == [3, 23]


@pytest.mark.usefixtures("known")
@torch.no_grad()
def test_the_loss_is_the_mean_over_what_is_known() -> None:
    tasks = AuxiliaryTasks(BOTH, MEMBERS, 4)
    seen, chosen = torch.randn(3, 4), torch.arange(3)
    of_all = tasks.targets(chosen, _moves())
    tempo, key = (layer(seen).log_softmax(1) for layer in tasks.layers.values())
    expected = -0.5 * (of_all[0] * tempo).sum() / 2 - 0.25 * (key[0, 3] + key[2, 14]) / 2
    assert float(tasks.loss(seen, of_all)) == pytest.approx(float(expected), rel=1e-5)
    shifted = tasks.targets(chosen, _moves(shift=[0.0, 0.0, 1.0]))
    expected = -0.5 * (of_all[0] * tempo).sum() / 2 - 0.25 * key[0, 3]
    assert float(tasks.loss(seen, shifted)) == pytest.approx(float(expected), rel=1e-5)
    nothing = [torch.zeros_like(target) for target in of_all]
    assert float(tasks.loss(seen, nothing)) == 0


def test_without_other_tasks_nothing_is_added() -> None:
    tasks = AuxiliaryTasks(Recipe(), MEMBERS, 4)
    assert not list(tasks.parameters())
    assert tasks.targets(torch.arange(3), _moves()) == []
    assert float(tasks.loss(torch.randn(3, 4), [])) == 0


def test_a_recipe_for_music_without_annotations_is_refused_before_its_folder_is_made(
    store: FeatureStore, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match="key is to be learned, and of no track"):
        begin_training(store, tmp_path / "run", replace(SMALL_CNN, key=0.3))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_both_are_learned_beside_the_genre_through_a_stop_and_not_kept(
    store: FeatureStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = {genre: i for i, genre in enumerate(store.genres)}
    tempo = {t.track_id: 70.0 * 1.4 ** order[t.genre] for t in store.facts}
    key = {t.track_id: 5.0 * order[t.genre] for t in store.facts}
    monkeypatch.setitem(auxiliary._KNOWN, "tempo", lambda: tempo)
    monkeypatch.setitem(auxiliary._KNOWN, "key", lambda: key)
    recipe = replace(SMALL_CNN, tempo=0.5, key=1.0, epochs=10)
    whole = begin_training(store, tmp_path / "whole", recipe)
    first = {name: value.clone() for name, value in whole.auxiliary.state_dict().items()}
    whole.run()
    part = begin_training(store, tmp_path / "part", recipe)
    assert all(torch.equal(first[n], v) for n, v in part.auxiliary.state_dict().items())
    part._end_epoch(*part._epoch(None), seconds=0.0)
    part.save()
    rest = begin_training(store, tmp_path / "part", recipe, resume=True)
    rest.run()
    for name, weights in whole.learners.state_dict().items():
        torch.testing.assert_close(rest.learners.state_dict()[name], weights)
    # Genre, tempo and key are one here, so that who knows the genre can know all.
    x = torch.stack([clip[:, : whole.train.n_frames] for clip in whole.train.clips]).float()
    with torch.inference_mode():
        _, seen = whole.net.eval().embed_by_band(x)
        answers = whole.auxiliary.layers["key"](seen).argmax(dim=1)
    assert (answers == torch.from_numpy(whole.train.labels) * 5).float().mean() > 0.9
    alone = begin_training(store, tmp_path / "alone", replace(recipe, tempo=0.0, key=0.0))
    kept = Run.load(tmp_path / "part").net()
    assert kept.state_dict().keys() == alone.net.state_dict().keys()
    assert (tmp_path / "part" / CHECKPOINT).exists()
