"""The start of a training: from a feature store, a split and a recipe to a run's folder."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import genrescope
from genrescope.data.fold import Fold, check_learnable, track_of
from genrescope.data.joined import title_of
from genrescope.data.splits import Split
from genrescope.data.store import FeatureStore
from genrescope.errors import DatasetError, GenrescopeError
from genrescope.files import atomic_write
from genrescope.lab.inference import device, has_bf16
from genrescope.lab.nets import Net
from genrescope.lab.nets.resbigru import ResBiGRU
from genrescope.lab.nets.resnet import ResNet18, load_image_weights
from genrescope.lab.provenance import commit, today
from genrescope.lab.training.background import background
from genrescope.lab.training.examples import Examples, draw_shares, examples
from genrescope.lab.training.lineage import record
from genrescope.lab.training.recipe import Recipe
from genrescope.lab.training.run import (
    OF_A_RUN,
    Run,
    check_finished,
    check_once,
    make_net,
    n_frames_of,
    read_config,
)
from genrescope.lab.training.train import CHECKPOINT, CONFIG, Training


class OtherRunError(GenrescopeError):
    """A folder that holds a run which is not to be gone on with."""


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
    teachers: Sequence[Run] = (),
    start: Run | None = None,
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
        teachers: runs whose mean answer is learned in place of the genres, see `Training`.
        start: a run of the same net, from whose weights this one starts.

    Raises:
        GenrescopeError: a fold or net that does not exist, a train part that lacks a genre, a
            folder of another run, or a teacher or start that is not finished, or learned what
            this one does not.
    """
    if not 0 <= fold < len(split.folds):
        raise GenrescopeError(f"{split.protocol} has folds 0 to {len(split.folds) - 1}.")
    try:
        check_learnable(split.folds[fold], store.facts)
    except DatasetError as error:
        raise DatasetError(f"{split.protocol}, fold {fold}: {error}") from None
    n_frames = n_frames_of(recipe.window_s, store.config)
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
    check_once(teachers)
    parents = [*teachers, *([start] if start else [])]
    check_finished(parents)
    for parent in parents:
        _check_parent(parent, store, split, part)
        parent.judged_by(recipe.window_s)
    config = _config(store, split, recipe, fold=fold, seed=seed, command=command)
    config |= {
        "teachers": [record(run.config) for run in teachers],
        "start": record(start.config) if start else None,
    }
    begun = _is_begun(out, config, resume=resume)
    if not (begun and (out / CHECKPOINT).exists()):
        if start is not None:
            start_from_run(net, recipe, start)
        elif recipe.weights:
            start_from_images(net, recipe)
    # Of their last epochs: no held-out clip chose those.
    nets_of_teachers = [run.net(last=True) for run in teachers]
    # After what may refuse, so that nothing is left behind, and before what takes its time.
    if not begun:
        _start_run(out, config)
    learned = load(part.train)
    if recipe.balance > 0 or recipe.doubtful < 1:
        certain = {track.track_id: track.certain for track in store.facts}
        shares = draw_shares(
            learned.labels,
            np.array([certain[track_of(member)] for member in learned.members]),
            balance=recipe.balance,
            doubtful=recipe.doubtful,
        )
        learned = replace(learned, shares=shares)
    training = Training(
        net,
        recipe,
        learned,
        load(part.valid) if part.valid else None,
        n_classes=len(store.genres),
        out=out,
        seed=seed,
        background=background(store.config) if recipe.augment.needs_background else None,
        teachers=nets_of_teachers,
    )
    if resume:
        training.resume()
    return training


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


def start_from_run(net: Net, recipe: Recipe, start: Run) -> None:
    """Load the weights that another run ended with.

    Raises:
        GenrescopeError: that run's net is another, or the recipe has weights to start from.
    """
    if (start.recipe.net, start.recipe.options) != (recipe.net, recipe.options):
        raise GenrescopeError(
            f"{start.path}: is {start.recipe.net} with {dict(start.recipe.options)}, and the "
            f"recipe's net is {recipe.net} with {dict(recipe.options)}: it cannot start from there."
        )
    if recipe.weights:
        raise GenrescopeError(f"{start.path}: the recipe starts from {recipe.weights} already.")
    net.load_state_dict(start.net(last=True).state_dict())


def _check_parent(run: Run, store: FeatureStore, split: Split, fold: Fold) -> None:
    """A run may teach what another one learns: the same genres and input, and no clip besides.

    Raises:
        GenrescopeError: it is otherwise.
    """
    if run.labels != store.genres or run.features != store.config:
        raise GenrescopeError(f"{run.path}: has other genres or another input than {store.name}.")
    strange = sorted(set(run.fold.train).difference(fold.train))
    if strange or run.config["starts"] != split.starts:
        some = f"clips, such as {strange[0]}," if strange else "windows of clips"
        raise GenrescopeError(
            f"{run.path}: learned {some} that this run does not, so nothing that it teaches could "
            "be judged honestly. Name a run of the same split and fold."
        )


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
    changed = [name for key, name in OF_A_RUN.items() if there.get(key) != config.get(key)]
    if changed:
        raise OtherRunError(f"{out}: was begun with another {', '.join(changed)}.")
    return True


def _start_run(out: Path, config: dict[str, Any]) -> None:
    """Make a run's folder and write its config."""
    out.mkdir(parents=True, exist_ok=True)
    with atomic_write(out / CONFIG) as part:
        part.write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def _config(
    store: FeatureStore, split: Split, recipe: Recipe, *, fold: int, seed: int, command: str
) -> dict[str, Any]:
    return {
        "command": command,
        "date": today(),
        "data": title_of(store),
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
