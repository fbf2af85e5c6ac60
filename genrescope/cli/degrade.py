"""``genrescope evaluate --degrade``: how a bundle's answers stand disturbance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from genrescope.cli.terminal import echo

if TYPE_CHECKING:
    from genrescope.data.track import Track
    from genrescope.lab.robustness.robustness import Degraded
    from genrescope.model.bundle import Bundle


def degrade(
    bundle: Bundle, tracks: Sequence[Track], about: dict[str, Any], *, as_json: bool
) -> None:
    """Run the suite on recordings, each through the whole path, and print its table."""
    from genrescope.cli.dataset import _clips_bar
    from genrescope.lab.robustness import degradations as lab
    from genrescope.lab.robustness.robustness import run_suite
    from genrescope.model.classifier import Classifier

    classifier = Classifier.load(bundle)
    with _clips_bar(len(tracks) * (len(lab.DEGRADATIONS) + 1), "degrading") as report:
        suite = run_suite(
            tracks,
            bundle.labels,
            classifier.classify,
            names=lab.DEGRADATIONS,
            progress=report,
        )
    if as_json:
        rows = [row.to_dict() for row in suite.rows]
        echo(json.dumps(about | {"degradations": rows, "failed": dict(suite.failed)}))
    else:
        _print(suite.rows, about)
    for name, reason in suite.failed.items():
        echo(f"{name}: {reason}; left out", err=True)


def _print(rows: Sequence[Degraded], about: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from genrescope.model.prediction import DOUBTS

    split = about["split"]
    console = Console(highlight=False, width=None)
    console.print(
        f"{about['model']} on {split['protocol']}, fold {split['fold']}, {split['part']}: "
        f"{rows[0].n} recordings",
        markup=False,
    )
    table = Table(box=None)
    for head in ("", "accuracy", "drop", "most named", *DOUBTS):
        table.add_column(head, justify="left" if head in ("", "most named") else "right")
    for row in rows:
        table.add_row(
            row.name,
            str(row.accuracy).replace("[", "\\["),
            f"{row.drop:+.3f}" if row is not rows[0] else "",
            Text(f"{row.sink} {row.sink_share:.0%} (truth {row.sink_truth:.0%})"),
            *(f"{row.flagged.get(flag, 0):.0%}" for flag in DOUBTS),
        )
    console.print(table)
    drops = {row.name: row.drop for row in rows[1:]}
    worst = max(drops, key=lambda name: drops[name])
    console.print(
        f"median drop {np.median(list(drops.values())):.3f}, worst {drops[worst]:.3f} ({worst})",
        markup=False,
    )
