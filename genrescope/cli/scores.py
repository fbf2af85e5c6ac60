"""What ``genrescope evaluate`` prints: figures, and what they are worth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import genrescope
from genrescope.cli.terminal import echo

if TYPE_CHECKING:
    from genrescope.data.splits import Split
    from genrescope.data.track import Track
    from genrescope.lab.evaluation.evaluate import Evaluation, Question, Seen
    from genrescope.lab.evaluation.models import Model


@dataclass
class Task:
    """A model and what it is asked."""

    model: Model
    split: Split
    fold: int
    part: str
    asked: list[Question]
    learned: tuple[Track, ...] = ()
    """What is known of the tracks that the model was trained on, beside the data itself."""


def absence(split: Split) -> str:
    """What of a split is not here, in words; nothing if all is."""
    if not split.absent:
        return ""
    parts = [f"{n} tracks of its {part} part" for part, n in split.absent_parts.items()]
    what = " and ".join(parts) or f"{len(split.absent)} tracks of this split"
    return f"{split.protocol}: {what} are absent"


def warn(task: Task, heard: Seen | None) -> None:
    """Say on standard error why these figures may flatter the model."""

    def shout(text: str) -> None:
        echo(f"WARNING: {text}", err=True, fg="red", bold=True)

    name = task.model.name
    if heard is None:
        shout(f"{name} does not say what it was trained on; it may have heard these tracks.")
    elif heard:
        what = []
        if heard.tracks:
            what.append(f"{len(heard.tracks)} of these tracks ({_some(heard.tracks)})")
        if heard.repeats:
            what.append(f"{len(heard.repeats)} more recordings under another ID")
        if heard.artists:
            what.append(f"other tracks of {len(heard.artists)} artists ({_some(heard.artists)})")
        shout(
            f"{name} was trained on {', and on '.join(what)}. These figures say how well it "
            "remembers, not how well it judges new music."
        )
    if task.split.leaky:
        shout("the windows protocol is leaky: other windows of the same clips were learned.")
    if heard is not None and heard.untold:
        echo(
            f"note: of {len(heard.untold)} tracks it cannot be told whether {name} learned from "
            f"their artists ({_some(heard.untold)}); artists.csv beside the music can name them.",
            err=True,
        )
    if heard is not None and not heard.tracks and task.part == "valid":
        echo("note: the epoch, or the temperature, may have been chosen on valid.", err=True)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def about(tasks: list[Task]) -> dict[str, Any]:
    """What was judged by what, when and with which version, JSON-ready."""
    from genrescope.lab.provenance import today

    first = tasks[0]
    return {
        "version": genrescope.__version__,
        "date": today(),
        "model": ", ".join(task.model.name for task in tasks),
        "split": {
            "protocol": first.split.protocol,
            "seed": first.split.seed,
            "fold": [task.fold for task in tasks] if len(tasks) > 1 else first.fold,
            "part": first.part,
            "leaky": first.split.leaky,
            "absent": len(first.split.absent),
            "absent_parts": first.split.absent_parts,
            "excluded": len(first.split.excluded),
        },
    }


def print_json(
    found: Evaluation, tasks: list[Task], heard: list[Seen | None], data: Sequence[Path]
) -> None:
    """One object with all figures, and the tracks, repeats and artists that were heard before."""
    from genrescope.data.joined import BETWEEN

    known = [one for one in heard if one is not None]
    merged = {
        key: sorted({name for one in known for name in getattr(one, key)})
        for key in ("tracks", "repeats", "artists", "untold")
    }
    report = about(tasks) | {"data": BETWEEN.join(map(str, data))} | found.to_dict()
    report["seen"] = merged if len(known) == len(heard) else None
    echo(json.dumps(report))


def print_tables(found: Evaluation, tasks: list[Task]) -> None:
    """Scores of tracks and windows side by side, and the confusion matrix."""
    from rich.console import Console
    from rich.table import Table

    from genrescope.data.splits import protocol_title

    what = about(tasks)
    split = what["split"]
    console = Console(highlight=False)
    console.print(
        f"{what['model']} on {protocol_title(split['protocol'])}, fold {split['fold']}, "
        f"{split['part']}: {found.track.n} tracks, {found.window.n} windows",
        markup=False,
    )
    if tasks[0].split.absent:
        console.print(absence(tasks[0].split))
    table = Table("", "track", "window", box=None)
    for name in ("accuracy", "precision", "recall", "f1"):
        cells = [str(getattr(level, name)) for level in (found.track, found.window)]
        table.add_row(name, *(cell.replace("[", "\\[") for cell in cells))
    table.add_row(
        "calibration error",
        f"{found.track.calibration_error:.3f}",
        f"{found.window.calibration_error:.3f}",
    )
    console.print(table)
    console.print()
    _print_confusion(found, console)


def _print_confusion(found: Evaluation, console: Any) -> None:
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    short = [label[:4] for label in found.labels]
    table = Table("truth", *map(escape, short), "right", box=None, padding=(0, 1, 0, 0))
    for i, (label, row) in enumerate(zip(found.labels, found.confusion, strict=True)):
        cells = [
            Text(str(n) if n else ".", style="bold" if i == j else "" if n else "dim")
            for j, n in enumerate(row)
        ]
        share = f"{row[i] / row.sum():.0%}" if row.sum() else "-"
        table.add_row(Text(label), *cells, share)
    console.print(table)
