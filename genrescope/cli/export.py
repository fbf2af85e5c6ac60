"""``genrescope export``: finished runs into a bundle that ``classify`` and ``serve`` use."""

from __future__ import annotations

from pathlib import Path

import click

from genrescope.cli.options import PATH, several_data_option, typed, window_option
from genrescope.cli.terminal import echo


@click.command()
@click.argument("runs", type=PATH, nargs=-1, required=True, metavar="RUN...")
@several_data_option(
    "STORE",
    "The feature store that the runs were trained on; given as often as they had several.",
)
@click.option(
    "--out",
    type=PATH,
    required=True,
    metavar="FOLDER",
    help="Folder for the bundle.",
)
@click.option(
    "--evidence",
    type=PATH,
    multiple=True,
    metavar="RUN",
    help="A run of the same recipe that held tracks out: it gives the figures and the "
    "calibration. May be given several times; the runs themselves by default.",
)
@click.option(
    "--degradations",
    type=PATH,
    metavar="FILE.json",
    help="For the model card: what evaluate --degrade --json printed of a bundle of the evidence, "
    "on the evidence's split.",
)
@click.option(
    "--last",
    is_flag=True,
    help="Take the last epoch of each run, not the best on its validation part. Runs that held "
    "nothing out (--split all), and their evidence, always do.",
)
@click.option(
    "--tempo",
    type=PATH,
    metavar="RUN",
    help="A run of heads train tempo; the bundle then names the tempo as well.",
)
@click.option(
    "--key",
    type=PATH,
    metavar="RUN",
    help="A run of heads train key; the bundle then names the key as well.",
)
@window_option
@click.option(
    "--int8",
    is_flag=True,
    help="Compute convolutions in whole numbers of 8 bits: a third of the time, a quarter of the "
    "size. The figures on the card are then of nets that do so too.",
)
@click.option(
    "--name",
    default="my-genres",
    metavar="NAME",
    help="Name of the bundle.",
)
@click.option(
    "--licence",
    default="Apache-2.0",
    metavar="NAME",
    help="Licence of the bundle.",
)
def export(
    runs: tuple[Path, ...],
    data: tuple[Path, ...],
    out: Path,
    evidence: tuple[Path, ...],
    degradations: Path | None,
    last: bool,
    tempo: Path | None,
    key: Path | None,
    window: float | None,
    int8: bool,
    name: str,
    licence: str,
) -> None:
    """Write a bundle, which classify and serve use, from one or more finished trainings.

    Each RUN is a folder that train wrote; several become an ensemble.
    """
    from genrescope.lab.export.bundle import export_runs
    from genrescope.model.card import protocol_of

    bundle = export_runs(
        runs,
        data,
        out,
        name=name,
        licence=licence,
        command=typed(),
        evidence=evidence,
        degradations=degradations,
        last=last,
        window_s=window,
        int8=int8,
        heads={"tempo": tempo, "key": key},
    )
    for row in bundle.metrics:
        echo(
            f"{protocol_of(row)}, {row['part']}, {row['n']} tracks: accuracy "
            f"{row['accuracy']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
        )
    if bundle.thresholds["set"] >= 1:
        echo(
            "note: so few tracks were held back that `genres` will always list every genre; add "
            "runs of other folds as --evidence.",
            err=True,
        )
    size = sum((bundle.path / file).stat().st_size for file in bundle.files) / 1e6
    echo(f"{bundle.path}: {bundle.name}, {size:.1f} MB")
