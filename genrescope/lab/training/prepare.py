"""What comes before the first step: music, recipe, split and net, checked and put in a folder."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import genrescope
from genrescope.data.fold import Fold, check_learnable, track_of
from genrescope.data.folder import read_any
from genrescope.data.joined import join, title_of
from genrescope.data.splits import Split, default_protocol, split_for
from genrescope.data.store import FeatureStore, is_store
from genrescope.errors import DatasetError, GenrescopeError
from genrescope.files import atomic_write
from genrescope.lab.inference import device, has_bf16
from genrescope.lab.nets import NETS, Net
from genrescope.lab.nets.resbigru import ResBiGRU
from genrescope.lab.nets.resnet import ResNet18, load_image_weights
from genrescope.lab.provenance import commit, today
from genrescope.lab.run_folder import CHECKPOINT, CONFIG
from genrescope.lab.stores import make_store
from genrescope.lab.training.augment import NO_AUGMENT
from genrescope.lab.training.auxiliary import annotated
from genrescope.lab.training.background import Background, background
from genrescope.lab.training.examples import Examples, draw_shares, examples
from genrescope.lab.training.recipe import DEFAULT_RECIPE, Recipe
from genrescope.lab.training.run import (
    IDENTITY,
    Run,
    check_distinct,
    check_finished,
    load_weights,
    make_net,
    read_config,
    record,
    window_frames,
)
from genrescope.progress import Progress


class OtherRunError(GenrescopeError):
    """A folder that holds a run which is not to be gone on with."""


@dataclass(frozen=True)
class TrainingData:
    """Labelled music, as features.

    Attributes:
        store: the features.
        caches: folders that features were computed into.
        left_out: track ID -> why it could not be used, of what was computed now.
    """

    store: FeatureStore
    caches: tuple[Path, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Prepared:
    """All that a training needs.

    Attributes:
        net: with the weights that it starts from.
        recipe: how to train it.
        train: what is learned.
        valid: what the best epoch is chosen by; None keeps the last epoch.
        split, fold: which of which folds the two are parts of.
        genres: the classes, in the order of the logits.
        frame_rate: frames of the features in a second.
        seed: of every random step of the training.
        out: the run's folder.
        resume: whether to go on with the run that the folder may hold.
        background: what augmentation lays under the music; None if the recipe asks for nothing.
        teachers: nets whose mean probabilities for each disturbed excerpt are its target, in place
            of its smoothed genre (function matching: Beyer et al. 2022).
    """

    net: Net
    recipe: Recipe
    train: Examples
    valid: Examples | None
    split: Split
    fold: int
    genres: tuple[str, ...]
    frame_rate: float
    seed: int
    out: Path
    resume: bool
    background: Background | None
    teachers: tuple[Net, ...]


def open_training_data(
    data: Sequence[Path],
    kind: str,
    beside: Path,
    *,
    genres: Sequence[str] = (),
    progress: Progress | None = None,
) -> TrainingData:
    """Feature stores as they are, and folders of music computed once and kept, all as one store.

    Args:
        data: each a feature store, or a folder with one sub-folder for each genre.
        kind: of the features: ``mel``, ``stft`` or ``waveform``.
        beside: where the features of a folder are kept, as ``<name>-<kind>``; waveforms are not.
        genres: those to learn; all that the music has if empty.
        progress: called after each computed clip with how many are done, how many there are, and
            its ID.

    Raises:
        GenrescopeError: no music, none of one of ``genres``, a store of another kind of input, or
            a track in two of them.
    """
    parts = [_open_path(path, kind, beside, progress) for path in data]
    left_out: dict[str, str] = {}
    for part in parts:
        left_out |= part.left_out
    store = join([part.store for part in parts])
    if genres:
        store = store.of_genres(genres)
    return TrainingData(store, tuple(cache for part in parts for cache in part.caches), left_out)


def _open_path(data: Path, kind: str, beside: Path, progress: Progress | None) -> TrainingData:
    if is_store(data):
        store = FeatureStore.load(data)
        if store.config.kind != kind:
            raise DatasetError(
                f"{data}: holds {store.config.kind}, not {kind}; add --input "
                f"{store.config.kind}, or name the folder of the music."
            )
        return TrainingData(store)
    dataset = read_any(data)
    cache = beside / f"{data.resolve().name}-{kind}"
    store = make_store(dataset, kind, cache, progress=progress)
    left_out = {name: why for name, why in store.absent.items() if name not in dataset.absent}
    return TrainingData(store, () if kind == "waveform" else (cache,), left_out)


def choose_recipe(
    path: Path | None = None,
    *,
    kind: str = "mel",
    net: str | None = None,
    epochs: int | None = None,
) -> Recipe:
    """A recipe from its file, or the one for a set like GTZAN, with another net or other epochs.

    Args:
        path: of the TOML file; the default recipe if None, with the net ``m5`` for waveforms.
        kind: the input: ``mel``, ``stft`` or ``waveform``.
        net: in place of the recipe's, with that net's own default options.
        epochs: in place of the recipe's.

    Raises:
        GenrescopeError: no such recipe, or one that does not fit the input.
    """
    recipe = Recipe.load(DEFAULT_RECIPE if path is None else path)
    if kind == "waveform" and path is None:
        recipe = replace(recipe, net="m5", options={}, augment=NO_AUGMENT)
    if kind == "waveform" and recipe.augment.disturbs:
        raise GenrescopeError(
            f"{path}: its augmentation is of spectrograms; for waveforms turn each off with 0."
        )
    if net is not None and net != recipe.net:
        recipe = replace(recipe, net=net, options={})
    if recipe.net in NETS and kind not in NETS[recipe.net].inputs:
        takes = " or ".join(NETS[recipe.net].inputs)
        raise GenrescopeError(f"net {recipe.net} takes {takes}, not {kind}.")
    return recipe if epochs is None else replace(recipe, epochs=epochs)


def choose_split(
    store: FeatureStore, protocol: str | None = None, *, seed: int = 0, with_valid: bool = True
) -> Split:
    """The folds of a protocol, drawn for the tracks of a store.

    Args:
        store: of the tracks.
        protocol: a name in `genrescope.data.splits.SPLITS`; see `default_protocol` if None.
        seed: of the folds.
        with_valid: whether each fold keeps a validation part, or learns it as well.

    Raises:
        GenrescopeError: the tracks do not allow that protocol.
    """
    split = split_for(protocol or default_protocol(store.facts), store.facts, seed=seed)
    if with_valid:
        return split
    return replace(split, folds=tuple(fold.without_valid() for fold in split.folds))


def prepare(
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
) -> Prepared:
    """Check that a training can begin, make its folder, and read what it learns.

    Whatever may be refused is refused before the folder is made.

    Args:
        store: the features.
        split: its train part is learned, its valid part chooses the epoch. A fold without a valid
            part trains on everything to the last epoch.
        recipe: how to train.
        fold: which of the split's folds.
        seed: of the initialisation and every random step.
        out: the run's folder.
        resume: whether ``out`` may hold this run already.
        command: what the user typed, kept with the results.
        teachers: runs whose mean probabilities are learned in place of the genres.
        start: a run of the same net, from whose weights this one starts.

    Raises:
        GenrescopeError: a fold or net that does not exist, a train part that lacks a genre or any
            annotation of a task beside it, a folder of another run, or a teacher or start that is
            not finished, or learned what this run does not.
    """
    part = _checked_fold(split, fold, store)
    net, n_frames = _fresh_net(recipe, store, seed)
    _check_parents(teachers, start, store, split, part, recipe)
    annotated(recipe, part.train)
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
    teacher_nets = tuple(run.net(last=True) for run in teachers)
    if not begun:
        _make_folder(out, config)
    train = examples(store, part.train, n_frames=n_frames, starts=split.starts)
    valid = None
    if part.valid:
        valid = examples(store, part.valid, n_frames=n_frames, starts=split.starts)
    return Prepared(
        net=net,
        recipe=recipe,
        train=_with_shares(train, recipe, store),
        valid=valid,
        split=split,
        fold=fold,
        genres=store.genres,
        frame_rate=store.config.frame_rate,
        seed=seed,
        out=out,
        resume=resume,
        background=background(store.config) if recipe.augment.needs_background else None,
        teachers=teacher_nets,
    )


def _checked_fold(split: Split, number: int, store: FeatureStore) -> Fold:
    """The fold of that number.

    Raises:
        GenrescopeError: there is none, or its train part lacks a genre.
    """
    if not 0 <= number < len(split.folds):
        raise GenrescopeError(f"{split.protocol} has folds 0 to {len(split.folds) - 1}.")
    try:
        check_learnable(split.folds[number], store.facts)
    except DatasetError as error:
        raise DatasetError(f"{split.protocol}, fold {number}: {error}") from None
    return split.folds[number]


def _fresh_net(recipe: Recipe, store: FeatureStore, seed: int) -> tuple[Net, int]:
    """The recipe's net, and the frames of an excerpt.

    Raises:
        GenrescopeError: see `make_net`, or excerpts are too short for the net.
    """
    torch.manual_seed(seed)
    net = make_net(recipe, n_classes=len(store.genres), n_bins=store.config.n_bins)
    n_frames = window_frames(recipe.window_s, store.config)
    if n_frames < net.min_frames:
        raise GenrescopeError(
            f"recipe: window_s {recipe.window_s:g} is {n_frames} frames here; {recipe.net} needs "
            f"{net.min_frames}."
        )
    return net, n_frames


def _with_shares(train: Examples, recipe: Recipe, store: FeatureStore) -> Examples:
    """What is learned, each clip with how often it is drawn if the recipe asks for that."""
    if recipe.balance == 0 and recipe.doubtful == 1:
        return train
    certain = {track.track_id: track.certain for track in store.facts}
    shares = draw_shares(
        train.labels,
        np.array([certain[track_of(member)] for member in train.members]),
        balance=recipe.balance,
        doubtful=recipe.doubtful,
    )
    return replace(train, shares=shares)


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
    load_weights(net, start.net(last=True).state_dict(), start.path / CHECKPOINT)


def _check_parents(
    teachers: Sequence[Run],
    start: Run | None,
    store: FeatureStore,
    split: Split,
    fold: Fold,
    recipe: Recipe,
) -> None:
    """Refuse to learn from runs that are not finished, of other genres or input, or of other clips.

    Raises:
        GenrescopeError: a run is such, a teacher is named twice, or the recipe's excerpts are too
            short for a parent's net.
    """
    check_distinct(teachers)
    parents = [*teachers, *([start] if start else [])]
    check_finished(parents)
    for run in parents:
        if run.labels != store.genres or run.features != store.config:
            raise GenrescopeError(
                f"{run.path}: has other genres or another input than {store.name}."
            )
        strange = sorted(set(run.fold.train).difference(fold.train))
        if strange or run.config["starts"] != split.starts:
            learned = f"clips, such as {strange[0]}," if strange else "windows of clips"
            raise GenrescopeError(
                f"{run.path}: learned {learned} that this run does not, so nothing that it teaches "
                "could be evaluated honestly. Name a run of the same split and fold."
            )
        run.window_frames(recipe.window_s)


def _is_begun(out: Path, config: dict[str, Any], *, resume: bool) -> bool:
    """Whether a folder holds this very run, which may be gone on with.

    Raises:
        OtherRunError: it holds a run that is not to be resumed, or another one.
    """
    if not (out / CONFIG).exists():
        return False
    if not resume:
        raise OtherRunError(f"{out}: holds a run already; add --resume, or choose another.")
    there = read_config(out)
    changed = [name for key, name in IDENTITY.items() if there.get(key) != config.get(key)]
    if changed:
        raise OtherRunError(f"{out}: was begun with another {', '.join(changed)}.")
    return True


def _make_folder(out: Path, config: dict[str, Any]) -> None:
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
