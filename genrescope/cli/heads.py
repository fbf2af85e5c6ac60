"""``genrescope heads``: small nets for tempo and key, beside the genre's."""

from __future__ import annotations

from pathlib import Path

import click

from genrescope.cli.options import (
    PATH,
    Group,
    run_folder_option,
    several_data_option,
    training_seed_option,
    typed,
)
from genrescope.cli.terminal import echo


@click.group(cls=Group, subcommand_metavar="VERB ...")
def heads() -> None:
    """Train small nets for tempo and key, which stand beside the genre's in a bundle."""


@heads.command()
@click.argument("task", type=click.Choice(["tempo", "key"]))
@several_data_option(
    "STORE",
    "A feature store with tracks whose tempo or key is known, as GTZAN's are.",
)
@run_folder_option
@training_seed_option
def train(task: str, data: tuple[Path, ...], out: Path, seed: int) -> None:
    """Train a head in minutes: evaluate it by artist folds, then train it on all tracks."""
    from genrescope.cli.progress import clips_bar
    from genrescope.lab.heads.train import train_head

    with clips_bar("training") as progress:
        made = train_head(task, data, out, seed=seed, command=typed(), progress=progress)
    for name, figure in made["figures"].items():
        interval = "" if name == "calibration_error" else f" [{figure['low']}, {figure['high']}]"
        echo(f"{name}: {figure['value']}{interval}, {figure['n']} tracks")
    for genre, figures in made["training"]["by_genre"].items():
        echo(f"  {genre}: " + ", ".join(f"{name} {value}" for name, value in figures.items()))


@heads.command()
@click.argument("bundle", type=PATH)
@click.option("--tempo", type=PATH, metavar="RUN", help="A run of heads train tempo.")
@click.option("--key", type=PATH, metavar="RUN", help="A run of heads train key.")
@click.option(
    "--out",
    type=PATH,
    required=True,
    metavar="FOLDER",
    help="Folder for the bundle with heads; may be BUNDLE itself.",
)
def attach(bundle: Path, tempo: Path | None, key: Path | None, out: Path) -> None:
    """Put heads beside the net of a BUNDLE, whose other files stay as they are."""
    if tempo is None and key is None:
        raise click.UsageError("name --tempo, --key or both")
    from genrescope.lab.heads.run import attach as put_beside

    made = put_beside(bundle, out, {"tempo": tempo, "key": key})
    echo(f"{made.path}: {made.name} with {' and '.join(sorted(made.heads))}")
