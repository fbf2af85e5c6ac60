"""The training loop: it learns, it stops and goes on, and the same seed gives the same run."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lab_makers import SMALL_CNN as RECIPE
from lab_makers import music_folder

from genrescope.data.splits import everything, make_split
from genrescope.data.store import FeatureStore
from genrescope.data.track import Track
from genrescope.errors import GenrescopeError
from genrescope.features.config import STORE_CONFIG
from genrescope.files import exclusive_lock
from genrescope.lab.nets.resnet import ResNet18
from genrescope.lab.training.background import background
from genrescope.lab.training.examples import draw_shares, examples
from genrescope.lab.training.prepare import Music
from genrescope.lab.training.recipe import Recipe
from genrescope.lab.training.run import Run
from genrescope.lab.training.train import Observer, Step, Training, begin, train_run


@pytest.fixture(scope="module")
def store() -> FeatureStore:
    """Three genres of noise, each with its own loud band."""
    rng = np.random.default_rng(0)
    tracks, clips = [], []
    for i in range(36):
        genre = i % 3
        clip = rng.normal(-50, 5, (128, 60)).astype(np.float32)
        clip[40 * genre : 40 * genre + 20] += 25
        tracks.append(Track(f"t{i}", "abc"[genre], artist=f"artist {i}", duration=4.6))
        clips.append(clip.T.astype(np.float16))
    return FeatureStore(STORE_CONFIG, tuple(tracks), {}, "bands", clips)


def _training(store: FeatureStore, out: Path, recipe: Recipe = RECIPE, **kw: object) -> Training:
    split = make_split("tracks", store.facts, seed=1, n_folds=3)
    return begin(store, split, recipe, fold=0, seed=3, out=out, **kw)  # type: ignore[arg-type]


@pytest.mark.slow
def test_it_learns_bands_and_its_run_can_be_read_back(store: FeatureStore, tmp_path: Path) -> None:
    history = _training(store, tmp_path / "run").run()
    assert history[-1].valid_accuracy == 1.0
    assert history[-1].train_loss < history[0].train_loss
    run = Run.load(tmp_path / "run")
    assert run.labels == ("a", "b", "c")
    assert run.recipe == RECIPE
    with torch.inference_mode():
        assert run.net()(torch.zeros(2, 128, 20)).shape == (2, 3)
    lines = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    assert len(lines) == 1 + RECIPE.epochs


@pytest.mark.slow
def test_a_stopped_and_resumed_run_ends_as_the_whole_one(
    store: FeatureStore, tmp_path: Path
) -> None:
    whole = _training(store, tmp_path / "whole")
    whole.run()

    def stop_in_the_third_epoch(step: object) -> None:
        if step.epoch == 2:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _training(store, tmp_path / "cut").run(stop_in_the_third_epoch)
    resumed = _training(store, tmp_path / "cut", resume=True)
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
    history = _training(store, tmp_path / "run", recipe).run()
    weights = (tmp_path / "run" / "best.pt").read_bytes()
    (tmp_path / "run" / "checkpoint.pt").unlink()
    again = _training(store, tmp_path / "run", recipe, resume=True)
    assert again.finished
    assert again.run() == history
    assert (tmp_path / "run" / "best.pt").read_bytes() == weights


def test_an_unfinished_run_without_its_checkpoint_starts_over(
    store: FeatureStore, tmp_path: Path
) -> None:
    recipe = replace(RECIPE, epochs=2)
    _training(store, tmp_path / "run", recipe).run()
    (tmp_path / "run" / "checkpoint.pt").unlink()
    table = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    (tmp_path / "run" / "metrics.csv").write_text("\n".join(table[:2]) + "\n")
    assert _training(store, tmp_path / "run", recipe, resume=True).history == []


def test_what_a_run_of_two_steps_learned_is_kept(store: FeatureStore, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1, excerpts=1)
    training = _training(store, tmp_path / "run", recipe)
    before = {key: value.clone() for key, value in training.net.state_dict().items()}
    training.run()
    assert training.step < 4
    kept = Run.load(tmp_path / "run").net().state_dict()
    assert not torch.equal(kept["head.weight"], before["head.weight"])


@pytest.mark.slow
def test_only_a_recipe_with_voices_gets_a_background(store: FeatureStore, tmp_path: Path) -> None:
    crowded = replace(RECIPE, epochs=1, augment=replace(RECIPE.augment, voices=1.0))
    training = _training(store, tmp_path / "crowded", crowded)
    assert training.background is background(STORE_CONFIG)
    assert math.isfinite(training.run()[0].train_loss)
    assert _training(store, tmp_path / "quiet").background is None


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
    training = _training(store, tmp_path / "run", still)
    assert len(training.run()) == 3
    assert training.stopped_early
    assert not _training(store, tmp_path / "whole", replace(still, epochs=3)).stopped_early


def test_a_training_that_diverges_is_an_error_and_keeps_what_it_had(
    store: FeatureStore, tmp_path: Path
) -> None:
    _training(store, tmp_path / "run", replace(RECIPE, epochs=2)).run()
    training = _training(store, tmp_path / "run", replace(RECIPE, epochs=2), resume=True)
    training.recipe = replace(RECIPE, epochs=3)
    with torch.no_grad():
        training.net.head.weight.fill_(math.inf)
    kept = (tmp_path / "run" / "best.pt").read_bytes()
    with pytest.raises(GenrescopeError, match=r"loss of epoch 3 is nan: .* lower lr"):
        training.run()
    assert (tmp_path / "run" / "best.pt").read_bytes() == kept


@pytest.mark.parametrize("name", ["config.json", "best.pt", "checkpoint.pt"])
def test_a_damaged_file_of_a_run_is_named(store: FeatureStore, tmp_path: Path, name: str) -> None:
    recipe = replace(RECIPE, epochs=2)
    _training(store, tmp_path / "run", recipe).run()
    path = tmp_path / "run" / name
    path.write_bytes(path.read_bytes()[:100])
    again: dict[str, Callable[[], object]] = {
        "best.pt": lambda: Run.load(tmp_path / "run").net(),
        "checkpoint.pt": lambda: _training(store, tmp_path / "run", recipe, resume=True),
        "config.json": lambda: _training(store, tmp_path / "run", recipe, resume=True),
    }
    with pytest.raises(GenrescopeError, match=r"is damaged|is no run"):
        again[name]()


def test_a_config_of_something_else_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(GenrescopeError, match="is no run of genrescope train"):
        Run.load(tmp_path)


def test_a_run_without_validation_keeps_its_last_epoch(store: FeatureStore, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=2)
    training = begin(store, everything(store.facts), recipe, fold=0, seed=0, out=tmp_path / "all")
    history = training.run()
    assert all(math.isnan(epoch.valid_loss) for epoch in history)
    assert training.best == 1
    assert Run.load(tmp_path / "all").fold.train == store.tracks


def test_windows_are_learned_without_the_rest_of_their_clip(
    store: FeatureStore, tmp_path: Path
) -> None:
    split = make_split("windows", store.facts, seed=0, n_folds=3)
    recipe = replace(RECIPE, window_s=3.0, epochs=1)
    training = begin(store, split, recipe, fold=0, seed=0, out=tmp_path / "w")
    assert {clip.shape[1] for clip in training.train.clips} == {training.train.n_frames}
    training.run()


def test_silences_are_neither_learned_nor_judged(store: FeatureStore) -> None:
    clips = [np.array(clip) for clip in store._clips]
    clips[0][:25] = clips[0].max() - 90
    some = replace(store, _clips=tuple(clips))
    members, n_frames = store.tracks[:2], len(clips[0])
    learned = examples(some, members, n_frames=19)
    assert [clip.shape[1] for clip in learned.clips] == [n_frames - 25, n_frames]
    assert abs(float(learned.clips[0].float().mean())) < 0.01
    starts = dict.fromkeys(members, 0.0)
    assert {c.shape[1] for c in examples(some, members, n_frames=19, starts=starts).clips} == {19}


@pytest.mark.skipif(sys.platform == "win32", reason="there folders have no locks")
def test_two_trainings_do_not_write_to_one_folder(store: FeatureStore, tmp_path: Path) -> None:
    training = _training(store, tmp_path / "run", replace(RECIPE, epochs=1))
    with exclusive_lock(tmp_path / "run") as alone:
        assert alone
        with pytest.raises(GenrescopeError, match="another training is writing to it"):
            training.run()
    assert len(training.run()) == 1


def test_a_folder_of_another_run_is_refused(store: FeatureStore, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1)
    _training(store, tmp_path / "run", recipe).run()
    with pytest.raises(GenrescopeError, match="--resume"):
        _training(store, tmp_path / "run", recipe)
    with pytest.raises(GenrescopeError, match="another recipe"):
        _training(store, tmp_path / "run", RECIPE, resume=True)
    with pytest.raises(GenrescopeError, match="no run"):
        Run.load(tmp_path)


def test_genres_are_balanced_and_doubtful_clips_drawn_less() -> None:
    labels = np.array([0] * 8 + [1] * 2)
    certain = np.array([False] * 4 + [True] * 6)

    def drawn(balance: float, doubtful: float) -> list[float]:
        shares = draw_shares(labels, certain, balance=balance, doubtful=doubtful)
        assert shares.sum() == pytest.approx(1)
        return [float(shares[labels == label].sum()) for label in (0, 1)]

    assert drawn(0, 1) == pytest.approx([0.8, 0.2])
    assert drawn(1, 1) == pytest.approx([0.5, 0.5])
    assert drawn(0.5, 1) == pytest.approx([2 / 3, 1 / 3])  # roots of 8 and 2
    assert drawn(1, 0.5) == pytest.approx([0.5, 0.5])
    shares = draw_shares(labels, certain, balance=0, doubtful=0.5)
    assert shares[4] == pytest.approx(2 * shares[0])
    # A class of doubtful clips alone, which are not to be drawn, is no division by zero.
    assert draw_shares(labels, labels == 0, balance=1, doubtful=0)[8:].tolist() == [0, 0]


def test_a_training_draws_clips_by_their_shares(store: FeatureStore, tmp_path: Path) -> None:
    doubtful = {track.track_id for track in store.facts[:18]}
    facts = tuple(replace(t, certain=t.track_id not in doubtful) for t in store.facts)
    recipe = replace(RECIPE, doubtful=0.0, epochs=1)
    training = _training(replace(store, facts=facts), tmp_path / "run", recipe)
    examples = training.train
    learned = np.array([member not in doubtful for member in examples.members])
    assert examples.shares is not None
    assert (examples.shares > 0).tolist() == learned.tolist()
    seen = torch.cat(
        [
            x[:, :, 0]
            for x, _ in examples.batches(
                excerpts=4, batch_size=16, source_frames=60, rng=torch.Generator().manual_seed(0)
            )
        ]
    )
    beginnings = torch.stack([clip[:, 0].float() for clip in examples.clips])
    which = torch.cdist(seen, beginnings).argmin(1)
    assert learned[which].all()
    training.run()


def test_a_run_of_an_earlier_version_is_gone_on_with(store: FeatureStore, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1, validate_every=3)
    _training(store, tmp_path / "run", recipe).run()
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["recipe"]["judge_every"] = config["recipe"].pop("validate_every")
    assert config["features"].pop("kind") == "mel"
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    assert Run.load(tmp_path / "run").recipe == recipe
    assert _training(store, tmp_path / "run", recipe, resume=True).finished


@pytest.mark.parametrize("name", ["best.pt", "checkpoint.pt"])
def test_weights_of_another_net_are_an_error_in_words(
    store: FeatureStore, tmp_path: Path, name: str
) -> None:
    recipe = replace(RECIPE, epochs=1)
    _training(store, tmp_path / "run", recipe).run()
    path = tmp_path / "run" / name
    state = torch.load(path, weights_only=True)
    for weights in (state, state.get("net", {}), state.get("average", {})):
        weights.pop("head.weight", None)
    torch.save(state, path)
    with pytest.raises(GenrescopeError, match=rf"{name}: its weights do not fit the net"):
        Run.load(tmp_path / "run").net(last=name == "checkpoint.pt")
    if name == "checkpoint.pt":
        with pytest.raises(GenrescopeError, match="its weights do not fit the net"):
            _training(store, tmp_path / "run", recipe, resume=True)


def test_a_net_that_names_one_genre_for_everything_is_found(
    store: FeatureStore, tmp_path: Path
) -> None:
    training = _training(store, tmp_path / "run")
    training.run()
    assert training.only_answer() is None
    state = torch.load(tmp_path / "run" / "best.pt", weights_only=True)
    state["head.bias"] = torch.tensor([0.0, 1e6, 0.0])
    torch.save(state, tmp_path / "run" / "best.pt")
    assert training.only_answer() == "b"


def test_unknown_nets_and_folds_are_refused(store: FeatureStore, tmp_path: Path) -> None:
    with pytest.raises(GenrescopeError, match="no net"):
        _training(store, tmp_path / "a", replace(RECIPE, net="perceptron"))
    split = make_split("tracks", store.facts, seed=1, n_folds=3)
    with pytest.raises(GenrescopeError, match="folds 0 to 2"):
        begin(store, split, RECIPE, fold=3, seed=0, out=tmp_path / "b")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"net": "foo"}, "no net 'foo'"),
        ({"options": {"width": -1}}, "width"),
        ({"window_s": 0.5}, "window_s 0.5 is 6 frames here; cnn needs 16"),
        ({"weights": "some.pth"}, "net cnn takes none"),
    ],
)
def test_what_cannot_begin_leaves_no_run_behind(
    store: FeatureStore, tmp_path: Path, change: dict[str, object], said: str
) -> None:
    with pytest.raises(GenrescopeError, match=said):
        _training(store, tmp_path / "run", replace(RECIPE, **change))
    assert not (tmp_path / "run").exists()


def test_a_resnet_starts_from_image_weights(store: FeatureStore, tmp_path: Path) -> None:
    torch.manual_seed(11)
    images = ResNet18(1000)
    state = images.state_dict()
    state["conv1.weight"] = state["conv1.weight"].expand(-1, 3, -1, -1) / 3
    torch.save(state, tmp_path / "images.pth")
    recipe = replace(RECIPE, options={}, weights=str(tmp_path / "images.pth"))
    for net, prefix in (("resnet18", ""), ("res-bigru", "resnet.")):
        training = _training(store, tmp_path / net, replace(recipe, net=net))
        ours = training.net.state_dict()
        for key in ("conv1.weight", "layer4.1.conv2.weight"):
            torch.testing.assert_close(ours[prefix + key], images.state_dict()[key])


class _Recorder(Observer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def on_feature(self, done: float, total: float | None, track: str) -> None:
        self.told.append("feature")

    def on_music(self, music: Music) -> None:
        self.told.append(f"music in {[cache.name for cache in music.caches]}")

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
        "feature", "music in ['music-mel']", "begin artists", "step",
    ]  # fmt: skip
    assert recorder.told.count("step") == training.n_steps == training.step
    run = Run.load(tmp_path / "run")
    assert run.config["split"] == {"protocol": "artists", "seed": 3, "fold": 0}
    assert (run.config["seed"], run.config["command"]) == (5, "by hand")
    assert run.recipe.epochs == 1
    assert training.finished
