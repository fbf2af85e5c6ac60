"""``genrescope train``"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from genrescope.cli.options import PATH, known_split, typed
from genrescope.cli.terminal import echo

if TYPE_CHECKING:
    from genrescope.data.splits import Split
    from genrescope.data.store import FeatureStore
    from genrescope.lab.training.epochs import Epoch
    from genrescope.lab.training.recipe import Recipe
    from genrescope.lab.training.train import Step, Training


@click.command()
@click.option(
    "--data",
    type=PATH,
    multiple=True,
    required=True,
    metavar="DATA",
    help="A feature store, or music with one sub-folder for each genre. Given several times, all "
    "of it is learned together, and no split parts an artist of two of them.",
)
@click.option(
    "--out",
    type=PATH,
    required=True,
    metavar="FOLDER",
    help="The run's folder, made here.",
)
@click.option(
    "--recipe",
    type=PATH,
    metavar="FILE.toml",
    help="How to train, see docs/training.md; as the shipped model was if absent.",
)
@click.option(
    "--net",
    metavar="NET",
    help="Name of the net; the recipe's if absent.",
)
@click.option(
    "--input",
    "kind",
    default="mel",
    metavar="KIND",
    help="raw, stft or mel.",
)
@click.option(
    "--split",
    metavar="SPLIT",
    callback=known_split,
    help="windows (leaky), tracks, artists, world, fault-filtered, or all to hold nothing back. "
    "If absent: fault-filtered for GTZAN, tracks for other music.",
)
@click.option(
    "--fold",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Which round of the split.",
)
@click.option(
    "--no-valid",
    is_flag=True,
    help="Learn the valid part as well; the epoch that is kept is the last.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Of every random step of the training.",
)
@click.option(
    "--split-seed",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Of the split; kept the same, seeds of a net can be compared.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Instead of the recipe's.",
)
@click.option(
    "--teacher",
    type=PATH,
    multiple=True,
    metavar="RUN",
    help="A run whose answers are learned in place of the genres; several teach their mean. It "
    "must have learned nothing that this run does not.",
)
@click.option(
    "--start",
    type=PATH,
    metavar="RUN",
    help="A run of the same net to start from.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with a stopped run.",
)
def train(
    data: tuple[Path, ...],
    out: Path,
    recipe: Path | None,
    net: str | None,
    kind: str,
    split: str | None,
    fold: int,
    no_valid: bool,
    seed: int,
    split_seed: int,
    epochs: int | None,
    teacher: tuple[Path, ...],
    start: Path | None,
    resume: bool,
) -> None:
    """Train a net; stopped at any moment, it goes on with --resume.

    Features of a folder of music are computed once and kept beside the run's folder. The run's
    folder holds its configuration, split, figures of each epoch and best weights; `genrescope
    export` makes a bundle of it.
    """
    from genrescope.data.joined import join
    from genrescope.lab.training.begin import begin
    from genrescope.lab.training.run import Run

    how = _recipe(recipe, net=net, kind=kind, epochs=epochs)
    opened = [open_store(path, kind, out) for path in data]
    store = join([store for store, _ in opened])
    plan = _split(store, split, split_seed)
    if no_valid:
        plan = replace(plan, folds=tuple(one.without_valid() for one in plan.folds))
    training = begin(
        store,
        plan,
        how,
        fold=fold,
        seed=seed,
        out=out,
        resume=resume,
        command=typed(),
        teachers=[Run.load(path) for path in teacher or ()],
        start=Run.load(start) if start else None,
    )
    _announce(training, how, plan, fold, store)
    try:
        _run(training)
    except KeyboardInterrupt:
        done = len(training.history)
        echo(
            f"\nStopped; {done} of {how.epochs} epochs are kept. The same command with --resume "
            "goes on.",
            err=True,
        )
        raise Exit(130) from None
    if training.stopped_early:
        echo(f"stopped early: no lower validation loss in {how.patience} validations", err=True)
    best = training.history[training.best]
    echo(f"{out}: {_figures(best, how.epochs)}, the epoch that is kept")
    for _, kept in opened:
        if kept is not None:
            echo(f"{kept}: the features, for `genrescope evaluate` and `export`")


def open_store(data: Path, kind: str, out: Path) -> tuple[FeatureStore, Path | None]:
    """The features of ``data``, and where they were kept if they had to be computed.

    Raises:
        GenrescopeError: no data, or a store of another input.
    """
    from genrescope.cli.dataset import _clips_bar
    from genrescope.data.folder import read_any
    from genrescope.data.store import FeatureStore, is_store
    from genrescope.errors import DatasetError
    from genrescope.lab.stores import kind_of, make_store

    if is_store(data):
        store = FeatureStore.load(data)
        if kind_of(store.config) != kind:
            raise DatasetError(
                f"{data}: holds {kind_of(store.config)}, not {kind}; add --input "
                f"{kind_of(store.config)}, or name the folder of the music."
            )
        return store, None
    dataset = read_any(data)
    cache = out.parent / f"{data.resolve().name}-{kind}"
    with _clips_bar(len(dataset.tracks), "features") as report:
        store = make_store(dataset, kind, cache, progress=report)
    for name, reason in store.absent.items():
        if name not in dataset.absent:
            echo(f"{name}: {reason}; left out", err=True)
    return store, None if kind == "raw" else cache


def _recipe(path: Path | None, *, net: str | None, kind: str, epochs: int | None) -> Recipe:
    from genrescope.errors import GenrescopeError
    from genrescope.lab.nets import NETS
    from genrescope.lab.stores import CONFIGS
    from genrescope.lab.training.augment import NO_AUGMENT
    from genrescope.lab.training.recipe import DEFAULT_RECIPE, Recipe

    if kind not in CONFIGS:
        raise click.BadParameter(f"there is no input {kind!r}; there are {', '.join(CONFIGS)}")
    recipe = Recipe.load(DEFAULT_RECIPE if path is None else path)
    if kind == "raw" and path is None:
        recipe = replace(recipe, net="m5", options={}, augment=NO_AUGMENT)
    if kind == "raw" and recipe.augment.disturbs:
        raise GenrescopeError(
            f"{path}: its augmentation is of spectrograms; for raw input turn each off with 0."
        )
    if net is not None and net != recipe.net:
        recipe = replace(recipe, net=net, options={})
    if recipe.net in NETS and kind not in NETS[recipe.net].inputs:
        takes = " or ".join(NETS[recipe.net].inputs)
        raise GenrescopeError(f"net {recipe.net} takes {takes}, not {kind}.")
    return recipe if epochs is None else replace(recipe, epochs=epochs)


def _split(store: FeatureStore, name: str | None, seed: int) -> Split:
    from genrescope.data.splits import default_protocol, split_for

    return split_for(name or default_protocol(store.facts), store.facts, seed=seed)


def _announce(
    training: Training, recipe: Recipe, split: Split, fold: int, store: FeatureStore
) -> None:
    from genrescope.cli.scores import absence
    from genrescope.data.splits import SPLITS, protocol_title

    chooser = "the last epoch is kept"
    if training.valid is not None:
        chooser = f"{len(training.valid)} to choose the epoch by"
    weights = sum(p.numel() for p in training.net.parameters()) / 1e6
    echo(
        f"{recipe.net}, {weights:.2f} M weights, on {training.device}; "
        f"{protocol_title(split.protocol)}: {len(training.train)} to learn, {chooser}, "
        f"{len(store.genres)} genres",
        err=True,
    )
    if training.teachers:
        echo(f"taught by {len(training.teachers)} runs, not by the genres", err=True)
    if split.leaky:
        echo("windows is leaky: clips are on both sides, and figures flatter.", err=True)
    if split.absent:
        echo(absence(split), err=True)
    if split.excluded:
        some = next(iter(split.excluded.items()))
        echo(
            f"{split.protocol}: {len(split.excluded)} tracks are used by no part, such as "
            f"{some[0]}: {some[1]}",
            err=True,
        )
    held_back = split.folds[fold].valid or split.folds[fold].test
    if SPLITS[split.protocol].holds_back and not held_back:
        echo("nothing is held back: no track is left to judge this run by", err=True)
    if training.history:
        echo(f"going on after epoch {len(training.history)}", err=True)


def _run(training: Training) -> None:
    """Train with a live bar on a terminal, and a line for each epoch anywhere."""
    from rich import progress
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    began, first = time.monotonic(), training.step
    bar = progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    epochs = training.recipe.epochs
    shown = len(training.history)

    def show_epochs() -> None:
        nonlocal shown
        for epoch in training.history[shown:]:
            left = ""
            if training.step > first and training.step < training.n_steps:
                speed = (training.step - first) / (time.monotonic() - began)
                left = f"  {_duration((training.n_steps - training.step) / speed)} left"
            console.print(_figures(epoch, epochs) + left, soft_wrap=True)
        shown = len(training.history)

    with bar:
        task = bar.add_task("", total=training.n_steps, completed=training.step)

        def report(step: Step) -> None:
            show_epochs()
            text = (
                f"epoch {step.epoch + 1}/{epochs}  loss {step.loss:.3f}  "
                f"accuracy {step.accuracy:.3f}"
            )
            bar.update(task, completed=step.step, total=step.n_steps, description=text)

        training.run(report)
        show_epochs()


def _duration(seconds: float) -> str:
    """Whole seconds below two minutes, then whole minutes."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _figures(epoch: Epoch, epochs: int) -> str:
    text = (
        f"epoch {epoch.epoch + 1}/{epochs}  loss {epoch.train_loss:.3f}  "
        f"accuracy {epoch.train_accuracy:.3f}"
    )
    if math.isnan(epoch.valid_loss):
        return text
    return f"{text}  validation loss {epoch.valid_loss:.3f}  accuracy {epoch.valid_accuracy:.3f}"
