"""``genrescope info``"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from genrescope.cli.terminal import echo

if TYPE_CHECKING:
    from rich.console import Console

    from genrescope.model.bundle import Bundle

_TRAINING = ("data", "split", "protocol", "net", "recipe", "seed", "command", "commit", "date")


@click.command()
@click.argument("bundle", type=click.Path(), required=False, metavar="[BUNDLE]")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print bundle.json, verified.",
)
def info(
    bundle: str | None,
    as_json: bool,
) -> None:
    """Say what a model is, how good it is, and on what.

    BUNDLE is its folder; without it, the model that ships with Genrescope is described.
    """
    from genrescope.model.bundle import Bundle

    loaded = Bundle.load(bundle)
    if as_json:
        echo(json.dumps(loaded.to_dict()))
        return
    from rich.console import Console

    console = Console(highlight=False)
    _about(loaded, console)
    _metrics(loaded, console)


def _about(bundle: Bundle, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    from genrescope.model.card import plain

    table = Table(box=None, show_header=False, pad_edge=False)
    size = sum((bundle.path / name).stat().st_size for name in bundle.files)
    config = bundle.features
    rows: dict[str, object] = {
        "name": bundle.name,
        "folder": bundle.path,
        "size": f"{size / 1e6:.1f} MB",
        "genres": ", ".join(bundle.labels),
        "hears": f"{config.n_bins} bands at {config.sr} Hz, {config.frame_rate:.1f} frames/s, "
        f"windows of {bundle.window_s:g} s every {bundle.hop_s:g} s",
        "created": bundle.created,
        "licence": bundle.licence,
    }
    rows |= {key: bundle.training[key] for key in _TRAINING if key in bundle.training}
    if "tracks" in bundle.training:
        rows["tracks"] = len(bundle.training["tracks"])
    for key, value in rows.items():
        table.add_row(Text(key, style="dim"), Text(plain(value)))
    console.print(table)


def _metrics(bundle: Bundle, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    from genrescope.model.card import protocol_of

    if not bundle.metrics:
        console.print("\nIts accuracy was not measured.")
        return
    table = Table("protocol", "part", "level", "n", "accuracy", "95 % interval", box=None)
    for row in bundle.metrics:
        cells = [
            *(protocol_of(row), row["part"], row["level"], row["n"]),
            f"{row['accuracy']:.3f}",
            f"{row['low']:.3f} to {row['high']:.3f}",
        ]
        table.add_row(*(Text(str(cell)) for cell in cells))
    console.print()
    console.print(table)
