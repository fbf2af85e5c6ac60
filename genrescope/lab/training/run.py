"""One execution of a recipe: from a feature store and a split to a folder of results."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import genrescope
from genrescope.data.fold import Fold, check_learnable
from genrescope.data.splits import Split
from genrescope.data.store import FeatureStore
from genrescope.errors import DatasetError, GenrescopeError
from genrescope.lab.nets import NETS, Net
from genrescope.lab.nets.resbigru import ResBiGRU
from genrescope.lab.nets.resnet import ResNet18, load_image_weights
from genrescope.lab.provenance import commit, today
from genrescope.lab.training.background import background
from genrescope.lab.training.examples import Examples, examples
from genrescope.lab.training.recipe import Recipe
from genrescope.lab.training.train import (
    CHECKPOINT,
    CONFIG,
    WEIGHTS,
    Training,
    device,
    has_bf16,
    load_state,
)
from genrescope.signal.feature_config import FeatureConfig
from genrescope.whole import whole

_OF_A_RUN = {
    "recipe": "recipe",
    "seed": "seed",
    "split": "split",
    "fold_members": "set of clips",
    "features": "input",
}
"""What makes two runs the same, in a config and in words."""


class OtherRunError(GenrescopeError):
    """A folder that holds a run which is not to be gone on with."""


def n_frames_of(recipe: Recipe, config: FeatureConfig) -> int:
    """Frames of an excerpt, at least one."""
    return max(1, round(recipe.window_s * config.frame_rate))


def make_net(recipe: Recipe, *, n_classes: int, n_bins: int) -> Net:
    """The recipe's net, freshly initialised from torch's global generator.

    Raises:
        GenrescopeError: no such net, or options that it does not take.
    """
    if recipe.net not in NETS:
        raise GenrescopeError(f"there is no net {recipe.net!r}; there are {', '.join(NETS)}.")
    try:
        return NETS[recipe.net](n_classes, n_bins, **recipe.options)
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise GenrescopeError(f"net {recipe.net}, options {recipe.options}: {error}.") from None


def start_from_images(net: Net, recipe: Recipe) -> None:
    """Load the recipe's image-trained weights into the net's ResNet.

    Raises:
        GenrescopeError: the net has none, or see `load_image_weights`.
    """
    resnet = net.resnet if isinstance(net, ResBiGRU) else net
    if not isinstance(resnet, ResNet18):
        raise GenrescopeError(
            f"recipe: weights are for resnet18 and res-bigru; net {recipe.net} takes none."
        )
    load_image_weights(resnet, recipe.weights, sha256=recipe.weights_sha256 or None)


def begin(
    store: FeatureStore,
    split: Split,
    recipe: Recipe,
    *,
    fold: int,
    seed: int,
    out: Path,
    resume: bool = False,
    command: str = "",
) -> Training:
    """Set up a training of one fold, or take one up where it stopped.

    Args:
        store: the features.
        split: already made; its train part is learned, its valid part chooses the epoch. A
            fold without a valid part trains on everything to the last epoch.
        recipe: how.
        fold: which of the split's folds.
        seed: of initialisation and every random step.
        out: the run's folder, made here.
        resume: whether ``out`` may hold a run already.
        command: what the user typed, kept with the results.

    Raises:
        GenrescopeError: a fold or net that does not exist, a train part that lacks a genre, or a
            folder of another run.
    """
    if not 0 <= fold < len(split.folds):
        raise GenrescopeError(f"{split.protocol} has folds 0 to {len(split.folds) - 1}.")
    try:
        check_learnable(split.folds[fold], store.facts)
    except DatasetError as error:
        raise DatasetError(f"{split.protocol}, fold {fold}: {error}") from None
    n_frames = n_frames_of(recipe, store.config)
    part = split.folds[fold]

    def load(members: tuple[str, ...]) -> Examples:
        return examples(store, members, n_frames=n_frames, starts=split.starts)

    torch.manual_seed(seed)
    net = make_net(recipe, n_classes=len(store.genres), n_bins=store.config.n_bins)
    if n_frames < net.min_frames:
        raise GenrescopeError(
            f"recipe: window_s {recipe.window_s:g} is {n_frames} frames here; {recipe.net} needs "
            f"{net.min_frames}."
        )
    config = _config(store, split, recipe, fold=fold, seed=seed, command=command)
    begun = _is_begun(out, config, resume=resume)
    if recipe.weights and not (begun and (out / CHECKPOINT).exists()):
        start_from_images(net, recipe)
    # After what may refuse, so that nothing is left behind, and before what takes its time.
    if not begun:
        _start_run(out, config)
    training = Training(
        net,
        recipe,
        load(part.train),
        load(part.valid) if part.valid else None,
        n_classes=len(store.genres),
        out=out,
        seed=seed,
        background=background(store.config) if recipe.augment.needs_background else None,
    )
    if resume:
        training.resume()
    return training


def all_tracks(store: FeatureStore, *, seed: int = 0) -> Split:
    """Every track for training and none held back: how what ships is trained."""
    return Split("all", seed, (Fold(store.tracks, (), ()),))


@dataclass(frozen=True)
class Run:
    """A finished or running training, read back from its folder."""

    path: Path
    config: dict[str, Any]

    @classmethod
    def load(cls, path: str | Path) -> Run:
        """Read a run's folder.

        Raises:
            GenrescopeError: it is none, or has no weights yet.
        """
        path = Path(path)
        config = read_config(path)
        if not (path / WEIGHTS).exists():
            raise GenrescopeError(f"{path}: no epoch is finished yet; resume the training.")
        return cls(path, config)

    @property
    def recipe(self) -> Recipe:
        """How it was trained."""
        return Recipe.from_dict(self.config["recipe"])

    @property
    def features(self) -> FeatureConfig:
        """The front end it was trained behind."""
        return FeatureConfig.from_dict(self.config["features"])

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the logits."""
        return tuple(self.config["labels"])

    @property
    def fold(self) -> Fold:
        """The tracks or windows it was trained, chosen and is to be tested on."""
        return Fold(**{part: tuple(ids) for part, ids in self.config["fold_members"].items()})

    def unlike(self, other: Run) -> list[str]:
        """What another run has otherwise: genres, recipe or input."""
        same = {
            "genres": self.labels == other.labels,
            "recipe": self.recipe == other.recipe,
            "input": self.features == other.features,
        }
        return [name for name, is_so in same.items() if not is_so]

    def net(self, *, last: bool = False) -> Net:
        """The net in evaluation mode, with its best weights or those of the last epoch.

        Raises:
            GenrescopeError: they are gone or damaged.
        """
        net = make_net(self.recipe, n_classes=len(self.labels), n_bins=self.features.n_bins)
        path = self.path / (CHECKPOINT if last else WEIGHTS)
        state = load_state(path)
        net.load_state_dict(state["average"] if last else state)
        return net.eval()


def check_once(runs: Sequence[Run]) -> None:
    """Refuse a run that is named twice.

    Raises:
        GenrescopeError: one is.
    """
    for i, run in enumerate(runs):
        if run.path.resolve() in [other.path.resolve() for other in runs[:i]]:
            raise GenrescopeError(f"{run.path}: is named twice; once it counts as much.")


def read_config(folder: Path) -> dict[str, Any]:
    """What a run's folder says of it.

    Raises:
        GenrescopeError: it is no run's, or damaged.
    """
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        missing = [key for key in ("labels", "starts", *_OF_A_RUN) if key not in config]
    except (OSError, ValueError, TypeError):
        missing = [CONFIG]
    if missing:
        raise GenrescopeError(f"{folder}: is no run of genrescope train.")
    return config


def _is_begun(out: Path, config: dict[str, Any], *, resume: bool) -> bool:
    """Whether a folder holds this very run, which may be gone on with.

    Raises:
        OtherRunError: it holds one that is not to be resumed, or another.
    """
    path = out / CONFIG
    if not path.exists():
        return False
    if not resume:
        raise OtherRunError(f"{out}: holds a run already; add --resume, or choose another.")
    there = read_config(out)
    changed = [name for key, name in _OF_A_RUN.items() if there.get(key) != config.get(key)]
    if changed:
        raise OtherRunError(f"{out}: was begun with another {', '.join(changed)}.")
    return True


def _start_run(out: Path, config: dict[str, Any]) -> None:
    """Make a run's folder and write its config."""
    out.mkdir(parents=True, exist_ok=True)
    with whole(out / CONFIG) as part:
        part.write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def _config(
    store: FeatureStore, split: Split, recipe: Recipe, *, fold: int, seed: int, command: str
) -> dict[str, Any]:
    return {
        "command": command,
        "date": today(),
        "data": Path(store.name).name,
        "labels": list(store.genres),
        "features": store.config.to_dict(),
        "split": {"protocol": split.protocol, "seed": split.seed, "fold": fold},
        "fold_members": {p: list(ids) for p, ids in split.folds[fold].parts().items()},
        "starts": split.starts,
        "absent": list(split.absent),
        "excluded": split.excluded,
        "seed": seed,
        "recipe": recipe.to_dict(),
        "versions": {
            "genrescope": genrescope.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "commit": commit(),
        "machine": platform.machine(),
        "device": str(device()),
        "bf16": has_bf16(device()),
        "threads": torch.get_num_threads(),
    }
