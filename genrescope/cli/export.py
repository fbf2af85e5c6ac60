"""``genrescope export``: finished runs into a bundle that ``classify`` and ``serve`` use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genrescope.cli.options import Window, typed


def export(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders written by train; several become an ensemble.")
    ],
    data: Annotated[
        list[Path],
        typer.Option(
            help="The feature store the runs were trained on; given as often as they had several."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the bundle.")],
    evidence: Annotated[
        list[Path] | None,
        typer.Option(
            help="A run of the same recipe that held tracks out: it gives the figures and the "
            "calibration. May be given several times; the runs themselves by default."
        ),
    ] = None,
    degradations: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            help="What evaluate --degrade --json said, by the split of the evidence, of the "
            "evidence's own bundle, for the card.",
        ),
    ] = None,
    last: Annotated[
        bool,
        typer.Option(
            "--last",
            help="Take the last epoch of each run, not the one its validation part chose. What "
            "held nothing out, as by --split all, and its evidence always do.",
        ),
    ] = False,
    window: Window = None,
    name: Annotated[str, typer.Option(help="What to call the bundle.")] = "my-genres",
    licence: Annotated[str, typer.Option(help="Its licence.")] = "Apache-2.0",
) -> None:
    """Write a bundle from one or more finished trainings."""
    from genrescope.data.joined import join
    from genrescope.data.store import FeatureStore
    from genrescope.lab.export.bundle import ship
    from genrescope.lab.export.evidence import degradation_rows
    from genrescope.lab.provenance import today
    from genrescope.lab.training.run import Run
    from genrescope.model.card import protocol_of

    trained = [Run.load(path) for path in runs]
    proof = [Run.load(path) for path in evidence or ()]
    rows = degradation_rows(degradations, proof or trained) if degradations else ()
    bundle = ship(
        trained,
        join([FeatureStore.load(path) for path in data]),
        out,
        name=name,
        licence=licence,
        created=today(),
        command=typed(),
        evidence=proof,
        degradations=rows,
        last=last,
        window_s=window,
    )
    for row in bundle.metrics:
        typer.echo(
            f"{protocol_of(row)}, {row['part']}, {row['n']} tracks: accuracy "
            f"{row['accuracy']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
        )
    if bundle.thresholds["set"] >= 1:
        typer.echo(
            "note: so few tracks were held back that `genres` will always list every genre; add "
            "runs of other folds as --evidence.",
            err=True,
        )
    size = sum((bundle.path / file).stat().st_size for file in bundle.files) / 1e6
    typer.echo(f"{bundle.path}: {bundle.name}, {size:.1f} MB")
