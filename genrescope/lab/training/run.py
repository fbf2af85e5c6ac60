"""A run's folder: what is kept of a training, read back as a `Run`.

``config.json`` says what is learned and how, ``metrics.csv`` has a line for each epoch, ``best.pt``
holds the weights of the epoch that is kept, and ``checkpoint.pt`` what a training needs to go on.
"""

from __future__ import annotations

import csv
import json
import math
import pickle
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from genrescope.data.fold import Fold
from genrescope.errors import GenrescopeError
from genrescope.features.config import FeatureConfig
from genrescope.files import atomic_write
from genrescope.lab.nets import NETS, Net
from genrescope.lab.run_folder import CHECKPOINT, CONFIG, METRICS, WEIGHTS
from genrescope.lab.training.recipe import Recipe

Config = Mapping[str, Any]
"""What ``config.json`` holds."""

IDENTITY = {
    "recipe": "recipe",
    "seed": "seed",
    "split": "split",
    "fold_members": "set of clips",
    "features": "input",
    "teachers": "set of teachers",
    "start": "start",
}
"""Keys of a config that make two runs the same, and what messages call them."""

NO_PARENTS: Config = {"teachers": [], "start": None}
"""Of a run that learned from its clips alone."""


def window_frames(window_s: float, config: FeatureConfig) -> int:
    """Frames of a window or excerpt of ``window_s`` seconds, at least one."""
    return max(1, round(window_s * config.frame_rate))


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


@dataclass(frozen=True)
class Run:
    """A finished or running training, read back from its folder."""

    path: Path
    config: dict[str, Any]

    @classmethod
    def load(cls, path: str | Path) -> Run:
        """Read a run's folder.

        Raises:
            GenrescopeError: the folder holds no run, or one without weights yet.
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
        """Its train, valid and test part: IDs of tracks or windows."""
        return Fold(**{part: tuple(ids) for part, ids in self.config["fold_members"].items()})

    @property
    def method(self) -> dict[str, Any]:
        """How the net came to be, whatever its clips and seeds."""
        return method(self.config)

    def unlike(self, other: Run) -> list[str]:
        """In what another run differs: genres, input, recipe, teachers or start."""
        others = other.method
        same = {
            "genres": self.labels == other.labels,
            "input": self.features == other.features,
            **{name: how == others[name] for name, how in self.method.items()},
        }
        return [name for name, is_so in same.items() if not is_so]

    def window_frames(self, window_s: float | None = None) -> int:
        """Number of frames of the windows that the net classifies clips by.

        Args:
            window_s: length of a window in s; that of the recipe's excerpts by default.

        Raises:
            GenrescopeError: too few frames for the net.
        """
        window_s = self.recipe.window_s if window_s is None else window_s
        n_frames, least = window_frames(window_s, self.features), NETS[self.recipe.net].min_frames
        if n_frames < least:
            raise GenrescopeError(
                f"{self.path}: windows of {window_s:g} s are {n_frames} frames here; "
                f"{self.recipe.net} needs {least}."
            )
        return n_frames

    def net(self, *, last: bool = False) -> Net:
        """The net in evaluation mode, with its best weights or those of the last epoch.

        Raises:
            GenrescopeError: the weights are gone, damaged, or of another version's net.
        """
        net = make_net(self.recipe, n_classes=len(self.labels), n_bins=self.features.n_bins)
        path = self.path / (CHECKPOINT if last else WEIGHTS)
        state = load_state(path)
        if last:
            state = state["average"]
        load_weights(net, state, path)
        return net.eval()


def check_finished(runs: Sequence[Run]) -> None:
    """Refuse a run that has not reached the end of its recipe.

    Raises:
        GenrescopeError: there is one.
    """
    for run in runs:
        epochs = read_epochs(run.path / METRICS)
        if not is_finished(epochs, run.recipe):
            raise GenrescopeError(
                f"{run.path}: is at epoch {len(epochs)} of {run.recipe.epochs}; finish it first, "
                "by its command with --resume."
            )


def check_distinct(runs: Sequence[Run]) -> None:
    """Refuse a run that is named twice.

    Raises:
        GenrescopeError: there is one.
    """
    paths = [run.path.resolve() for run in runs]
    for i, run in enumerate(runs):
        if paths[i] in paths[:i]:
            raise GenrescopeError(f"{run.path}: is named twice; name it once.")


# What config.json holds.


def read_config(folder: Path) -> dict[str, Any]:
    """The config of a run, with features and recipes of earlier versions in the fields of this one.

    Raises:
        GenrescopeError: the folder holds no run, or a damaged one.
    """
    try:
        config = {**NO_PARENTS, **json.loads((folder / CONFIG).read_text(encoding="utf-8"))}
        missing = [key for key in ("labels", "starts", *IDENTITY) if key not in config]
        if not missing:
            features = FeatureConfig.from_dict(config["features"]).to_dict()
            config = _in_present_fields(config) | {"features": features}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        missing = [CONFIG]
    except GenrescopeError as error:
        raise GenrescopeError(f"{folder}: {error}") from None
    if missing:
        raise GenrescopeError(f"{folder}: is no run of genrescope train.")
    return config


def _in_present_fields(config: Config) -> dict[str, Any]:
    """A config, or the record of a parent, whose recipes have the fields that recipes have now."""
    start = config["start"]
    return {
        **config,
        "recipe": Recipe.from_dict(config["recipe"]).to_dict(),
        "teachers": [_in_present_fields(teacher) for teacher in config["teachers"]],
        "start": _in_present_fields(start) if start else None,
    }


def record(config: Config) -> dict[str, Any]:
    """How to train a run again: what the config of a run that learns from it keeps of it."""
    keys = ("command", "date", "seed", "recipe", "commit", *NO_PARENTS)
    return {key: config.get(key) for key in keys}


def method(config: Config) -> dict[str, Any]:
    """How a net came to be, whatever its clips and seeds: its recipe and those of its parents."""
    start = config["start"]
    return {
        "recipe": Recipe.from_dict(config["recipe"]).to_dict(),
        "teachers": sorted((method(teacher) for teacher in config["teachers"]), key=repr),
        "start": method(start) if start else None,
    }


def ancestry(configs: Iterable[Config]) -> list[dict[str, Any]]:
    """Records of runs and of all that they learned from: parents first, no run twice."""
    records: list[dict[str, Any]] = []
    for config in configs:
        parents = [parent for parent in (*config["teachers"], config["start"]) if parent]
        for found in (*ancestry(parents), record(config)):
            if found not in records:
                records.append(found)
    return records


# What metrics.csv holds.


@dataclass(frozen=True)
class Epoch:
    """Figures of an epoch; those of the validation are NaN where there was none.

    Attributes:
        epoch: its number, from 0.
        train_loss, train_accuracy: mean over the excerpts, disturbed as they were learned.
        valid_loss, valid_accuracy: of the averaged weights on the validation part's clips.
        seconds: that its training took.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    valid_loss: float
    valid_accuracy: float
    seconds: float


def best_of(epochs: Sequence[Epoch]) -> int:
    """Index of the lowest validation loss; of the last epoch where none was validated."""
    losses = [epoch.valid_loss for epoch in epochs]
    return int(np.nanargmin(losses)) if not np.isnan(losses).all() else len(losses) - 1


def stopped_early(epochs: Sequence[Epoch], recipe: Recipe) -> bool:
    """Whether the recipe's patience ended before its epochs did."""
    if not recipe.patience or not 0 < len(epochs) < recipe.epochs:
        return False
    since_best = epochs[best_of(epochs) + 1 :]
    return sum(not math.isnan(epoch.valid_loss) for epoch in since_best) >= recipe.patience


def is_finished(epochs: Sequence[Epoch], recipe: Recipe) -> bool:
    """Whether all epochs are done, or the training stopped early."""
    return len(epochs) >= recipe.epochs or stopped_early(epochs, recipe)


def write_epochs(path: Path, epochs: Sequence[Epoch]) -> None:
    """Write a CSV file with a line for each epoch, atomically."""
    with atomic_write(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(Epoch)])
        writer.writeheader()
        writer.writerows(asdict(epoch) for epoch in epochs)


def read_epochs(path: Path) -> list[Epoch]:
    """What `write_epochs` wrote; an empty list where there is no file.

    Raises:
        GenrescopeError: the file is damaged.
    """
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [
                Epoch(int(row.pop("epoch")), **{key: float(value) for key, value in row.items()})
                for row in csv.DictReader(file)
            ]
    except (ValueError, TypeError, KeyError, csv.Error):
        raise _damaged(path) from None


# What best.pt and checkpoint.pt hold.


def load_state(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """What `torch.save` wrote: tensors and plain values, nothing that can run code.

    Raises:
        GenrescopeError: the file is gone or damaged.
    """
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except OSError as error:
        raise GenrescopeError(f"{path}: cannot be read ({error.strerror}).") from None
    except (RuntimeError, EOFError, ValueError, pickle.UnpicklingError):
        raise _damaged(path) from None
    if not isinstance(state, dict):
        raise _damaged(path)
    return state


def load_weights(net: nn.Module, state: Mapping[str, Any], path: Path) -> None:
    """Give a net the weights that were read from ``path``.

    Raises:
        GenrescopeError: they are of a net with other layers, such as that of an earlier version.
    """
    try:
        net.load_state_dict(state)
    except RuntimeError:
        raise GenrescopeError(
            f"{path}: its weights do not fit the net as this version of Genrescope builds it. "
            f"Train the run again, or use the version that {path.with_name(CONFIG)} names."
        ) from None


def _damaged(path: Path) -> GenrescopeError:
    return GenrescopeError(f"{path}: is damaged. Delete {path.parent} and train again.")
