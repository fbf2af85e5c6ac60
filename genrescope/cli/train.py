"""``genrescope train``: labelled music and a recipe into a run's folder."""

from __future__ import annotations

from pathlib import Path

import click

from genrescope.cli.options import (
    PATH,
    run_folder_option,
    several_data_option,
    split_option,
    training_seed_option,
    typed,
)
from genrescope.features.config import KINDS


def _known_input(ctx: click.Context, param: click.Parameter, kind: str) -> str:
    """The kind as it is; BadParameter if there is no such input."""
    if kind not in KINDS:
        raise click.BadParameter(f"there is no input {kind!r}; there are {', '.join(KINDS)}")
    return kind


@click.command()
@several_data_option(
    "DATA",
    "A feature store, or music with one sub-folder for each genre. Given several times, all of it "
    "is learned together, and an artist of two of them is on one side of each split.",
)
@run_folder_option
@click.option(
    "--recipe",
    type=PATH,
    metavar="FILE.toml",
    help="How to train, see docs/training.md; a recipe for sets of the size of GTZAN if absent.",
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
    callback=_known_input,
    help=f"What the net is given: {', '.join(KINDS[:-1])} or {KINDS[-1]}.",
)
@click.option(
    "--genres",
    default="",
    show_default=False,
    metavar="LIST",
    help="Learn these genres alone, with commas between them; all that the music has if absent.",
)
@split_option("fault-filtered for GTZAN, tracks for other music.")
@click.option(
    "--fold",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Which of the split's folds.",
)
@click.option(
    "--no-valid",
    is_flag=True,
    help="Train on the validation part as well, and keep the last epoch.",
)
@training_seed_option
@click.option(
    "--split-seed",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Seed of the split. Keep it to compare nets, or a net's own seeds.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of epochs; the recipe's if absent.",
)
@click.option(
    "--teacher",
    type=PATH,
    multiple=True,
    metavar="RUN",
    help="A run whose probabilities are learned in place of the genres (distillation); of several "
    "the mean. It must have learned from no clip that this run does not learn from.",
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
    genres: str,
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
    from genrescope.cli.train_display import TrainDisplay
    from genrescope.lab.training.train import train_run

    with TrainDisplay() as display:
        training = train_run(
            data,
            out,
            recipe=recipe,
            kind=kind,
            genres=[genre.strip() for genre in genres.split(",") if genre.strip()],
            net=net,
            epochs=epochs,
            split=split,
            split_seed=split_seed,
            fold=fold,
            with_valid=not no_valid,
            seed=seed,
            teachers=teacher,
            start=start,
            resume=resume,
            command=typed(),
            observer=display,
        )
        display.show_result(training)
