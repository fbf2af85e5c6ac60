"""The training loop: it learns, it stops and goes on, and the same seed gives the same run."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lab_makers import SMALL_CNN as RECIPE
from lab_makers import begin, begin_training, music_folder

from genrescope.data.splits import everything, make_split
from genrescope.data.store import FeatureStore
from genrescope.errors import GenrescopeError
from genrescope.features.config import STORE_CONFIG
from genrescope.files import exclusive_lock
from genrescope.lab.run_folder import CHECKPOINT
from genrescope.lab.training.background import background
from genrescope.lab.training.prepare import TrainingData
from genrescope.lab.training.run import Run
from genrescope.lab.training.train import Observer, Step, Training, train_run


@pytest.mark.slow
def test_it_learns_bands_and_its_run_can_be_read_back(store: FeatureStore, tmp_path: Path) -> None:
    history = begin_training(store, tmp_path / "run").run()
    assert history[-1].valid_accuracy == 1.0
    assert history[-1].train_loss < history[0].train_loss
    run = Run.load(tmp_path / "run")
    assert run.labels == ("fado", "polka", "tango")
    assert run.recipe == RECIPE
    with torch.inference_mode():
        assert run.net()(torch.zeros(2, 128, 20)).shape == (2, 3)
    lines = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    assert len(lines) == 1 + RECIPE.epochs


@pytest.mark.slow
def test_a_stopped_and_resumed_run_ends_as_the_whole_one(
    store: FeatureStore, tmp_path: Path
) -> None:
    whole = begin_training(store, tmp_path / "whole")
    whole.run()

    def stop_in_the_third_epoch(step: object) -> None:
        if step.epoch == 2:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        begin_training(store, tmp_path / "cut").run(stop_in_the_third_epoch)
    resumed = begin_training(store, tmp_path / "cut", resume=True)
    assert len(resumed.history) == 2
    resumed.run()
    figures = [[(e.train_loss, e.valid_loss) for e in t.history] for t in (whole, resumed)]
    assert figures[0] == figures[1]
    a, b = (Run.load(tmp_path / name).net().state_dict() for name in ("whole", "cut"))
    assert all(torch.equal(a[key], b[key]) for key in a)


def test_a_finished_run_stays_so_without_its_checkpoint(
    store: FeatureStore, tmp_path: Path
) -> None:
    recipe = replace(RECIPE, epochs=2)
    history = begin_training(store, tmp_path / "run", recipe).run()
    weights = (tmp_path / "run" / "best.pt").read_bytes()
    (tmp_path / "run" / "checkpoint.pt").unlink()
    again = begin_training(store, tmp_path / "run", recipe, resume=True)
    assert again.finished
    assert again.run() == history
    assert (tmp_path / "run" / "best.pt").read_bytes() == weights


def test_an_unfinished_run_without_its_checkpoint_starts_over(
    store: FeatureStore, tmp_path: Path
) -> None:
    recipe = replace(RECIPE, epochs=2)
    begin_training(store, tmp_path / "run", recipe).run()
    (tmp_path / "run" / "checkpoint.pt").unlink()
    table = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    (tmp_path / "run" / "metrics.csv").write_text("\n".join(table[:2]) + "\n")
    assert begin_training(store, tmp_path / "run", recipe, resume=True).history == []


def test_what_a_run_of_two_steps_learned_is_kept(store: FeatureStore, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1, excerpts=1)
    training = begin_training(store, tmp_path / "run", recipe)
    before = {key: value.clone() for key, value in training.net.state_dict().items()}
    training.run()
    assert training.step < 4
    kept = Run.load(tmp_path / "run").net().state_dict()
    assert not torch.equal(kept["head.weight"], before["head.weight"])


@pytest.mark.slow
def test_only_a_recipe_with_voices_gets_a_background(store: FeatureStore, tmp_path: Path) -> None:
    crowded = replace(RECIPE, epochs=1, augment=replace(RECIPE.augment, voices=1.0))
    training = begin_training(store, tmp_path / "crowded", crowded)
    assert training.background is background(STORE_CONFIG)
    assert math.isfinite(training.run()[0].train_loss)
    assert begin_training(store, tmp_path / "quiet").background is None


def test_another_seed_gives_another_run(store: FeatureStore, tmp_path: Path) -> None:
    split = make_split("tracks", store.facts, seed=1, n_folds=3)
    short = replace(RECIPE, epochs=1)
    losses = {
        begin(store, split, short, fold=0, seed=s, out=tmp_path / str(s)).run()[0].train_loss
        for s in (0, 1)
    }
    assert len(losses) == 2


def test_patience_ends_a_run_that_gets_no_better(store: FeatureStore, tmp_path: Path) -> None:
    # Without batch normalisation, whose statistics move though the weights stand still.
    still = replace(
        RECIPE,
        net="bigru",
        options={"hidden": 8, "n_layers": 1},
        epochs=9,
        patience=2,
        lr=0.0,
        ema=0.0,
    )
    training = begin_training(store, tmp_path / "run", still)
    assert len(training.run()) == 3
    assert training.stopped_early
    assert not begin_training(store, tmp_path / "whole", replace(still, epochs=3)).stopped_early


def test_a_training_that_diverges_is_an_error_and_keeps_what_it_had(
    store: FeatureStore, tmp_path: Path
) -> None:
    begin_training(store, tmp_path / "run", replace(RECIPE, epochs=2)).run()
    training = begin_training(store, tmp_path / "run", replace(RECIPE, epochs=2), resume=True)
    training.recipe = replace(RECIPE, epochs=3)
    with torch.no_grad():
        training.net.head.weight.fill_(math.inf)
    kept = (tmp_path / "run" / "best.pt").read_bytes()
    with pytest.raises(GenrescopeError, match=r"loss of epoch 3 is nan: .* lower lr"):
        training.run()
    assert (tmp_path / "run" / "best.pt").read_bytes() == kept


def test_a_run_without_validation_keeps_its_last_epoch(store: FeatureStore, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=2)
    training = begin(store, everything(store.facts), recipe, fold=0, seed=0, out=tmp_path / "all")
    history = training.run()
    assert all(math.isnan(epoch.valid_loss) for epoch in history)
    assert training.best == 1
    assert Run.load(tmp_path / "all").fold.train == store.tracks


@pytest.mark.skipif(sys.platform == "win32", reason="there folders have no locks")
def test_two_trainings_do_not_write_to_one_folder(store: FeatureStore, tmp_path: Path) -> None:
    training = begin_training(store, tmp_path / "run", replace(RECIPE, epochs=1))
    with exclusive_lock(tmp_path / "run") as alone:
        assert alone
        with pytest.raises(GenrescopeError, match="another training is writing to it"):
            training.run()
    assert len(training.run()) == 1


@pytest.mark.slow
def test_a_net_that_names_one_genre_for_everything_is_found(
    store: FeatureStore, tmp_path: Path
) -> None:
    training = begin_training(store, tmp_path / "run")
    training.run()
    assert training.only_answer() is None
    state = torch.load(tmp_path / "run" / "best.pt", weights_only=True)
    state["head.bias"] = torch.tensor([0.0, 1e6, 0.0])
    torch.save(state, tmp_path / "run" / "best.pt")
    assert training.only_answer() == "polka"


class _Recorder(Observer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def on_feature(self, done: float, total: float | None, track: str) -> None:
        self.told.append("feature")

    def on_data(self, data: TrainingData) -> None:
        self.told.append(f"data in {[cache.name for cache in data.caches]}")

    def on_begin(self, training: Training) -> None:
        self.told.append(f"begin {training.split.protocol}")

    def on_step(self, step: Step) -> None:
        self.told.append("step")


@pytest.mark.slow
def test_a_folder_of_music_becomes_a_run_by_one_call(tmp_path: Path) -> None:
    music = music_folder(tmp_path / "music")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('net = "cnn"\nexcerpts = 2\nbatch_size = 8\noptions = { width = 4 }\n')
    recorder = _Recorder()
    training = train_run(
        [music],
        tmp_path / "run",
        recipe=recipe,
        epochs=1,
        split="artists",
        split_seed=3,
        seed=5,
        command="by hand",
        observer=recorder,
    )
    assert list(dict.fromkeys(recorder.told)) == [
        "feature", "data in ['music-mel']", "begin artists", "step",
    ]  # fmt: skip
    assert recorder.told.count("step") == training.n_steps == training.step
    run = Run.load(tmp_path / "run")
    assert run.config["split"] == {"protocol": "artists", "seed": 3, "fold": 0}
    assert (run.config["seed"], run.config["command"]) == (5, "by hand")
    assert run.recipe.epochs == 1
    assert training.finished


@pytest.mark.slow
def test_the_teachers_answers_are_learned_and_not_the_genres(
    store: FeatureStore, teachers: list[Run], tmp_path: Path
) -> None:
    assert begin_training(store, tmp_path / "untaught").run()[-1].valid_accuracy == 1.0
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    for file in teachers[0].path.iterdir():
        (wrong / file.name).write_bytes(file.read_bytes())
    state = torch.load(wrong / CHECKPOINT, weights_only=True)
    for name in [key for key in state["average"] if key.startswith("head.")]:
        state["average"][name] = state["average"][name].roll(1, 0)
    torch.save(state, wrong / CHECKPOINT)
    longer = replace(RECIPE, epochs=16)
    taught = begin_training(store, tmp_path / "taught", longer, teachers=[Run.load(wrong)])
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
    training = begin_training(store, tmp_path / "run", teachers=teachers)
    x = torch.randn(4, 128, training.train.n_frames)
    with torch.inference_mode():
        each = [run.net(last=True)(x).softmax(1) for run in teachers]
    # Half precision, where the processor has it.
    torch.testing.assert_close(training._taught(x), sum(each) / 2, atol=0.02, rtol=0)


@pytest.mark.slow
def test_a_taught_run_that_was_stopped_ends_as_the_whole_one(
    store: FeatureStore, teachers: list[Run], tmp_path: Path
) -> None:
    learned_from = {"teachers": teachers, "start": teachers[0]}
    whole = begin_training(store, tmp_path / "whole", **learned_from)
    whole.run()
    part = begin_training(store, tmp_path / "part", **learned_from)
    part._end_epoch(*part._epoch(None), seconds=0.0)
    part.save()
    rest = begin_training(store, tmp_path / "part", resume=True, **learned_from)
    assert len(rest.history) == 1
    rest.run()
    for name, weights in whole.net.state_dict().items():
        torch.testing.assert_close(rest.net.state_dict()[name], weights)
