"""Runs that learn from other runs: what is learned, from whom it may be, and what is kept of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lab_makers import SMALL_CNN, bands_store

from genrescope.data.splits import everything, make_split
from genrescope.data.store import FeatureStore
from genrescope.errors import GenrescopeError
from genrescope.features.config import FeatureConfig
from genrescope.lab.run_folder import CHECKPOINT
from genrescope.lab.training.recipe import Recipe
from genrescope.lab.training.run import Run, ancestry
from genrescope.lab.training.train import Training, begin

RECIPE = replace(SMALL_CNN, epochs=6)


@pytest.fixture(scope="module")
def store() -> FeatureStore:
    return bands_store()


def learn(store: FeatureStore, out: Path, recipe: Recipe = RECIPE, **kw: object) -> Training:
    seed, fold = kw.pop("seed", 0), kw.pop("fold", 0)
    split = make_split("tracks", store.facts, seed=1, n_folds=3)
    return begin(store, split, recipe, fold=fold, seed=seed, out=out, **kw)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def teachers(store: FeatureStore, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Two seeds of a fold."""
    folder = tmp_path_factory.mktemp("teachers")
    for seed in (0, 1):
        learn(store, folder / str(seed), seed=seed).run()
    return [Run.load(folder / str(seed)) for seed in (0, 1)]


@pytest.mark.slow
def test_the_teachers_answers_are_learned_and_not_the_genres(
    store: FeatureStore, teachers: list[Run], tmp_path: Path
) -> None:
    assert learn(store, tmp_path / "untaught").run()[-1].valid_accuracy == 1.0
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    for file in teachers[0].path.iterdir():
        (wrong / file.name).write_bytes(file.read_bytes())
    state = torch.load(wrong / CHECKPOINT, weights_only=True)
    for name in [key for key in state["average"] if key.startswith("head.")]:
        state["average"][name] = state["average"][name].roll(1, 0)
    torch.save(state, wrong / CHECKPOINT)
    longer = replace(RECIPE, epochs=16)
    taught = learn(store, tmp_path / "taught", longer, teachers=[Run.load(wrong)])
    taught.run()
    assert taught.valid is not None
    x = torch.stack([clip[:, : taught.valid.n_frames] for clip in taught.valid.clips]).float()
    with torch.inference_mode():
        answer, lesson = taught.average(x).argmax(1), Run.load(wrong).net(last=True)(x).argmax(1)
    assert (answer == lesson).float().mean() > 0.9
    assert taught.history[-1].valid_accuracy < 0.1


def test_several_teach_the_mean_of_their_probabilities(
    store: FeatureStore, teachers: list[Run], tmp_path: Path
) -> None:
    training = learn(store, tmp_path / "run", teachers=teachers)
    x = torch.randn(4, 128, training.train.n_frames)
    with torch.inference_mode():
        each = [run.net(last=True)(x).softmax(1) for run in teachers]
    # Half precision, where the processor has it.
    torch.testing.assert_close(training._taught(x), sum(each) / 2, atol=0.02, rtol=0)


def test_a_run_starts_from_the_weights_that_another_ended_with(
    store: FeatureStore, teachers: list[Run], tmp_path: Path
) -> None:
    training = learn(store, tmp_path / "run", start=teachers[1])
    ended = teachers[1].net(last=True).state_dict()
    for name, weights in training.net.state_dict().items():
        torch.testing.assert_close(weights, ended[name])
    differ = learn(store, tmp_path / "other", seed=1).net.state_dict()
    assert any(not torch.equal(weights, ended[name]) for name, weights in differ.items())


@pytest.mark.slow
def test_a_taught_run_that_was_stopped_ends_as_the_whole_one(
    store: FeatureStore, teachers: list[Run], tmp_path: Path
) -> None:
    learned_from = {"teachers": teachers, "start": teachers[0]}
    whole = learn(store, tmp_path / "whole", **learned_from)
    whole.run()
    part = learn(store, tmp_path / "part", **learned_from)
    part._end_epoch(*part._epoch(None), seconds=0.0)
    part.save()
    rest = learn(store, tmp_path / "part", resume=True, **learned_from)
    assert len(rest.history) == 1
    rest.run()
    for name, weights in whole.net.state_dict().items():
        torch.testing.assert_close(rest.net.state_dict()[name], weights)


def test_a_run_goes_on_with_none_but_its_own_teachers(
    store: FeatureStore, teachers: list[Run], tmp_path: Path
) -> None:
    recipe = replace(RECIPE, epochs=1)
    learn(store, tmp_path / "run", recipe, teachers=teachers).run()
    learn(store, tmp_path / "run", recipe, teachers=teachers, resume=True)
    for others in ([], teachers[:1]):
        with pytest.raises(GenrescopeError, match="another set of teachers"):
            learn(store, tmp_path / "run", recipe, teachers=others, resume=True)
    with pytest.raises(GenrescopeError, match="another start"):
        learn(store, tmp_path / "run", recipe, teachers=teachers, start=teachers[0], resume=True)


def test_what_knows_held_out_clips_teaches_nothing(
    store: FeatureStore, teachers: list[Run], tmp_path: Path
) -> None:
    recipe = replace(RECIPE, epochs=1)
    begin(store, everything(store.facts), recipe, fold=0, seed=0, out=tmp_path / "all").run()
    knows_all = Run.load(tmp_path / "all")
    with pytest.raises(GenrescopeError, match=r"all: learned clips, such as t\d+, that this run"):
        learn(store, tmp_path / "run", teachers=[teachers[0], knows_all])
    with pytest.raises(GenrescopeError, match="same split and fold"):
        learn(store, tmp_path / "run", start=knows_all)
    with pytest.raises(GenrescopeError, match="same split and fold"):
        learn(store, tmp_path / "run", fold=1, teachers=teachers)
    assert not (tmp_path / "run").exists()
    begin(
        store,
        everything(store.facts),
        RECIPE,
        fold=0,
        seed=0,
        out=tmp_path / "run",
        teachers=teachers,
    )  # who learned less may teach


def test_windows_elsewhere_in_a_clip_are_other_windows(store: FeatureStore, tmp_path: Path) -> None:
    recipe = replace(RECIPE, window_s=3.0, epochs=1)
    splits = [make_split("windows", store.facts, seed=seed, n_folds=3) for seed in (0, 1)]
    begin(store, splits[0], recipe, fold=0, seed=0, out=tmp_path / "a").run()
    teacher = Run.load(tmp_path / "a")
    begin(store, splits[0], recipe, fold=0, seed=1, out=tmp_path / "b", teachers=[teacher])
    with pytest.raises(GenrescopeError, match="learned"):
        begin(store, splits[1], recipe, fold=0, seed=1, out=tmp_path / "c", teachers=[teacher])


def test_what_does_not_fit_is_refused(
    store: FeatureStore, teachers: list[Run], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    wider = replace(RECIPE, options={"width": 4})
    learn(store, tmp_path / "ok", wider, teachers=teachers)  # a small one may learn of a large one
    with pytest.raises(GenrescopeError, match="cannot start from there"):
        learn(store, out, wider, start=teachers[0])
    with pytest.raises(GenrescopeError, match="is named twice"):
        learn(store, out, teachers=[teachers[0], teachers[0]])
    config = FeatureConfig.from_dict({**store.config.to_dict(), "hop_length": 512})
    with pytest.raises(GenrescopeError, match="another input"):
        learn(replace(store, config=config), out, teachers=teachers)
    renamed = tuple(replace(t, genre=t.genre.upper()) for t in store.facts)
    with pytest.raises(GenrescopeError, match="other genres"):
        learn(replace(store, facts=renamed), out, teachers=teachers)
    assert not out.exists()


def test_the_record_of_a_run_tells_all_that_it_learned_from(
    store: FeatureStore, teachers: list[Run], tmp_path: Path
) -> None:
    recipe = replace(RECIPE, epochs=1)
    learn(
        store, tmp_path / "a", recipe, teachers=teachers, start=teachers[0], command="taught"
    ).run()
    taught = Run.load(tmp_path / "a")
    learn(store, tmp_path / "b", recipe, teachers=[taught], command="taught twice").run()
    twice = Run.load(tmp_path / "b")
    records = ancestry([twice.config])
    assert [one["seed"] for one in records] == [0, 1, 0, 0]
    assert [one["command"] for one in records[2:]] == ["taught", "taught twice"]
    assert taught.unlike(twice) == ["teachers", "start"]
    assert teachers[0].unlike(teachers[1]) == []
    learn(store, tmp_path / "c", recipe, teachers=teachers[::-1], start=teachers[1], seed=2).run()
    assert taught.unlike(Run.load(tmp_path / "c")) == []
