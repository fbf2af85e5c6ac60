"""``genrescope info``"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from genrescope.cli.terminal import echo, table, write

if TYPE_CHECKING:
    from genrescope.model.bundle import Bundle

_TRAINING = ("date", "data", "split", "protocol", "net", "seed", "commit", "command", "recipe")


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
    for line in (*_metrics(loaded), "", *_about(loaded)):
        write(line)


def _metrics(bundle: Bundle) -> Iterator[str]:
    from genrescope.model.card import protocol_of

    if not bundle.metrics:
        yield "Its accuracy was not measured."
        return
    rows = [["protocol", "part", "level", "n", "accuracy", "95 % interval"]]
    for row in bundle.metrics:
        rows.append(
            [
                *(protocol_of(row), str(row["part"]), str(row["level"]), str(row["n"])),
                f"{row['accuracy']:.3f}",
                f"{row['low']:.3f} to {row['high']:.3f}",
            ]
        )
    yield from table(rows, right=(3,), head=True)


def _about(bundle: Bundle) -> Iterator[str]:
    """What else is known of it; what is longest, the recipe, comes last."""
    from genrescope.model.card import plain

    size = sum((bundle.path / name).stat().st_size for name in bundle.files)
    config = bundle.features
    facts: dict[str, object] = {
        "name": bundle.name,
        "folder": bundle.path,
        "size": f"{size / 1e6:.1f} MB",
        "genres": ", ".join(bundle.labels),
        "input": f"{config.n_bins} bands at {config.sr} Hz, {config.frame_rate:.1f} frames/s, "
        f"windows of {bundle.window_s:g} s every {bundle.hop_s:g} s",
        "created": bundle.created,
        "licence": bundle.licence,
    }
    if "tracks" in bundle.training:
        facts["tracks"] = len(bundle.training["tracks"])
    facts |= {key: bundle.training[key] for key in _TRAINING if key in bundle.training}
    yield from table([[name, plain(value)] for name, value in facts.items()])
