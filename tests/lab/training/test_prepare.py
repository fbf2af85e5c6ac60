"""What a training begins with: where it may write, whom it may learn from, what it starts from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lab_makers import SMALL_CNN as RECIPE
from lab_makers import begin, begin_training

from genrescope.data.splits import everything, make_split
from genrescope.data.store import FeatureStore
from genrescope.errors import GenrescopeError
from genrescope.features.config import FeatureConfig
from genrescope.lab.nets.resnet import ResNet18
from genrescope.lab.training.run import Run


def test_a_run_starts_from_the_weights_that_another_ended_with(
    store: FeatureStore, teachers: list[Run], tmp_path: Path
) -> None:
    training = begin_training(store, tmp_path / "run", start=teachers[1])
    ended = teachers[1].net(last=True).state_dict()
    for name, weights in training.net.state_dict().items():
        torch.testing.assert_close(weights, ended[name])
    differ = begin_training(store, tmp_path / "other", seed=1).net.state_dict()
    assert any(not torch.equal(weights, ended[name]) for name, weights in differ.items())


def test_a_run_goes_on_with_none_but_its_own_teachers(
    store: FeatureStore, teachers: list[Run], tmp_path: Path
) -> None:
    recipe = replace(RECIPE, epochs=1)
    begin_training(store, tmp_path / "run", recipe, teachers=teachers).run()
    begin_training(store, tmp_path / "run", recipe, teachers=teachers, resume=True)
    for others in ([], teachers[:1]):
        with pytest.raises(GenrescopeError, match="another set of teachers"):
            begin_training(store, tmp_path / "run", recipe, teachers=others, resume=True)
    with pytest.raises(GenrescopeError, match="another start"):
        begin_training(
            store, tmp_path / "run", recipe, teachers=teachers, start=teachers[0], resume=True
        )


def test_what_knows_held_out_clips_teaches_nothing(
    store: FeatureStore, teachers: list[Run], tmp_path: Path
) -> None:
    recipe = replace(RECIPE, epochs=1)
    begin(store, everything(store.facts), recipe, fold=0, seed=0, out=tmp_path / "all").run()
    knows_all = Run.load(tmp_path / "all")
    with pytest.raises(GenrescopeError, match=r"all: learned clips, such as t\d+, that this run"):
        begin_training(store, tmp_path / "run", teachers=[teachers[0], knows_all])
    with pytest.raises(GenrescopeError, match="same split and fold"):
        begin_training(store, tmp_path / "run", start=knows_all)
    with pytest.raises(GenrescopeError, match="same split and fold"):
        begin_training(store, tmp_path / "run", fold=1, teachers=teachers)
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
    begin_training(
        store, tmp_path / "ok", wider, teachers=teachers
    )  # a small one may learn of a large one
    with pytest.raises(GenrescopeError, match="cannot start from there"):
        begin_training(store, out, wider, start=teachers[0])
    with pytest.raises(GenrescopeError, match="is named twice"):
        begin_training(store, out, teachers=[teachers[0], teachers[0]])
    config = FeatureConfig.from_dict({**store.config.to_dict(), "hop_length": 512})
    with pytest.raises(GenrescopeError, match="another input"):
        begin_training(replace(store, config=config), out, teachers=teachers)
    renamed = tuple(replace(t, genre=t.genre.upper()) for t in store.facts)
    with pytest.raises(GenrescopeError, match="other genres"):
        begin_training(replace(store, facts=renamed), out, teachers=teachers)
    assert not out.exists()


def test_a_folder_of_another_run_is_refused(store: FeatureStore, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1)
    begin_training(store, tmp_path / "run", recipe).run()
    with pytest.raises(GenrescopeError, match="--resume"):
        begin_training(store, tmp_path / "run", recipe)
    with pytest.raises(GenrescopeError, match="another recipe"):
        begin_training(store, tmp_path / "run", RECIPE, resume=True)
    with pytest.raises(GenrescopeError, match="no run"):
        Run.load(tmp_path)


def test_unknown_nets_and_folds_are_refused(store: FeatureStore, tmp_path: Path) -> None:
    with pytest.raises(GenrescopeError, match="no net"):
        begin_training(store, tmp_path / "a", replace(RECIPE, net="perceptron"))
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
        begin_training(store, tmp_path / "run", replace(RECIPE, **change))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_resnet_starts_from_image_weights(store: FeatureStore, tmp_path: Path) -> None:
    torch.manual_seed(11)
    images = ResNet18(1000)
    state = images.state_dict()
    state["conv1.weight"] = state["conv1.weight"].expand(-1, 3, -1, -1) / 3
    torch.save(state, tmp_path / "images.pth")
    recipe = replace(RECIPE, options={}, weights=str(tmp_path / "images.pth"))
    for net, prefix in (("resnet18", ""), ("res-bigru", "resnet.")):
        training = begin_training(store, tmp_path / net, replace(recipe, net=net))
        ours = training.net.state_dict()
        for key in ("conv1.weight", "layer4.1.conv2.weight"):
            torch.testing.assert_close(ours[prefix + key], images.state_dict()[key])
