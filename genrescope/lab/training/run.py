"""A training's folder, read back: what was learned, how, and the net that came of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genrescope.data.fold import Fold
from genrescope.errors import GenrescopeError
from genrescope.features.config import FeatureConfig
from genrescope.lab.nets import NETS, Net
from genrescope.lab.training.epochs import enough, read_epochs
from genrescope.lab.training.lineage import NONE, method
from genrescope.lab.training.recipe import Recipe
from genrescope.lab.training.train import CHECKPOINT, CONFIG, METRICS, WEIGHTS, load_state

OF_A_RUN = {
    "recipe": "recipe",
    "seed": "seed",
    "split": "split",
    "fold_members": "set of clips",
    "features": "input",
    "teachers": "set of teachers",
    "start": "start",
}
"""What makes two runs the same, in a config and in words."""


def n_frames_of(window_s: float, config: FeatureConfig) -> int:
    """Frames of an excerpt or a window, at least one."""
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

    @property
    def method(self) -> dict[str, Any]:
        """How the net came to be, whatever its clips and seeds."""
        return method(self.config)

    def unlike(self, other: Run) -> list[str]:
        """What another run has otherwise: genres, input, recipe, teachers or start."""
        others = other.method
        same = {
            "genres": self.labels == other.labels,
            "input": self.features == other.features,
            **{name: how == others[name] for name, how in self.method.items()},
        }
        return [name for name, is_so in same.items() if not is_so]

    def judged_by(self, window_s: float | None) -> int:
        """Frames of the windows that the net is to judge clips by: the recipe's if None.

        Raises:
            GenrescopeError: too few for the net.
        """
        window_s = self.recipe.window_s if window_s is None else window_s
        n_frames, least = n_frames_of(window_s, self.features), NETS[self.recipe.net].min_frames
        if n_frames < least:
            raise GenrescopeError(
                f"{self.path}: windows of {window_s:g} s are {n_frames} frames here; "
                f"{self.recipe.net} needs {least}."
            )
        return n_frames

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


def check_finished(runs: Sequence[Run]) -> None:
    """Refuse a run that is not, or not yet, what its recipe says.

    Raises:
        GenrescopeError: one is.
    """
    for run in runs:
        epochs = read_epochs(run.path / METRICS)
        if not enough(epochs, run.recipe):
            raise GenrescopeError(
                f"{run.path}: is at epoch {len(epochs)} of {run.recipe.epochs}; finish it first, "
                "by its command with --resume."
            )


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
        config = {**NONE, **json.loads((folder / CONFIG).read_text(encoding="utf-8"))}
        missing = [key for key in ("labels", "starts", *OF_A_RUN) if key not in config]
    except (OSError, ValueError, TypeError):
        missing = [CONFIG]
    if missing:
        raise GenrescopeError(f"{folder}: is no run of genrescope train.")
    return config
