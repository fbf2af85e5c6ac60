"""``genrescope reproduce``"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from genrescope.cli.options import PATH, Number
from genrescope.cli.progress import bar
from genrescope.cli.terminal import echo

if TYPE_CHECKING:
    from genrescope.reproduction.experiment import Experiment, Observer, Report
    from genrescope.reproduction.plan import Cell


@click.command()
@click.option(
    "--data",
    type=PATH,
    required=True,
    metavar="DATA",
    help="Music with one sub-folder for each genre, or a feature store of mel spectrograms.",
)
@click.option(
    "--out",
    type=PATH,
    required=True,
    metavar="FOLDER",
    help="Where results, trained nets and the report go.",
)
@click.option(
    "--audio",
    type=PATH,
    metavar="FOLDER",
    help="Beside a feature store: the same music as sound, all or part of it. Models that take "
    "waveforms or linear spectrograms need it.",
)
@click.option(
    "--quick",
    is_flag=True,
    help="A small version of everything, in minutes.",
)
@click.option(
    "--only",
    metavar="PATTERN",
    help="Run only the experiments whose names match, such as 'windows/*/res-bigru/*'.",
)
@click.option(
    "--budget",
    type=Number(min=0, max=100000),
    metavar="MINUTES",
    help="Begin no experiment after so many minutes.",
)
@click.option(
    "--effort",
    type=Number(min=0.01, max=100),
    default=1.0,
    metavar="FACTOR",
    help="Multiply the planned epochs by this.",
)
@click.option(
    "--list",
    "listing",
    is_flag=True,
    help="Print the names of the experiments, and which are done, and stop.",
)
def reproduce(
    data: Path,
    out: Path,
    audio: Path | None,
    quick: bool,
    only: str | None,
    budget: float | None,
    effort: float,
    listing: bool,
) -> None:
    """Repeat published experiments on genre recognition, and write a report.

    They are those of the student's talk that this project began with, and those of the papers that
    the talk cites: each model, on each kind of input, under each way to split the music. Each has
    a result file of its own; stopped at any moment, the same command goes on where it was. The
    report is one HTML page, with a CSV file for each table.
    """
    from genrescope.data.splits import SPLITS
    from genrescope.errors import GenrescopeError
    from genrescope.reproduction.experiment import Experiment

    experiment = Experiment.open(data, out, audio=audio, only=only, quick=quick, effort=effort)
    left = {cell.id for cell in experiment.left()}
    for protocol in experiment.leaky():
        echo(f"{protocol}: {SPLITS[protocol].summary}", err=True)
    if listing:
        for cell in experiment.cells:
            echo(cell.id + ("" if cell.id in left else "  done"))
        return
    ended: Exception | None = None
    try:
        with _shown(experiment) as observer:
            experiment.run(budget_s=None if budget is None else budget * 60, observer=observer)
    except KeyboardInterrupt:
        ended = Exit(130)
    except GenrescopeError as error:
        ended = error
    _print(experiment.report())
    if n_left := len(experiment.left()):
        echo(
            f"{n_left} of {len(experiment.cells)} cells are left; the same command goes on.",
            err=True,
        )
    if ended is not None:
        raise ended


def _print(report: Report) -> None:
    if report.outdated:
        names = ", ".join(report.outdated[:4]) + (", ..." if len(report.outdated) > 4 else "")
        echo(f"{len(report.outdated)} left out of the report (another recipe): {names}", err=True)
    if report.page is not None:
        echo(f"{report.page}: {report.n_cells} cells; a CSV file for each table lies beside it")


@contextmanager
def _shown(experiment: Experiment) -> Iterator[Observer]:
    """A line for each cell that begins, and a bar that says how far it is."""
    from genrescope.reproduction.experiment import Observer

    n_cells = len(experiment.cells)
    begun = n_cells - len(experiment.left())
    echo(f"{n_cells} cells, {begun} of them done", err=True)
    with bar(log=True) as shown:

        class Shown(Observer):
            def clip(self, done: float, total: float | None, kind: str) -> None:
                shown.update(done, total=total, what=f"{kind} features")

            def begin(self, cell: Cell) -> None:
                nonlocal begun
                begun += 1
                echo(f"{begun}/{n_cells} {cell.id}", err=True)

            def share(self, share: float, total: float | None, text: str) -> None:
                shown.update(100 * share, total=100.0, what=f"cell {begun}/{n_cells}", note=text)

        yield Shown()
