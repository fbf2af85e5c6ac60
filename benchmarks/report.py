"""Tables of what was measured: on the terminal, as CSV, as Markdown, and a picture."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.harness import Row

_MET = {True: "yes", False: "no", None: ""}
_LINKED = _MET | {False: "no: [why](speed-notes.md#goals-that-are-missed)"}


def show(rows: Sequence[Row], console: Console) -> None:
    """The table for people."""
    table = Table("what", "ours", "beside", "theirs", "ratio", "goal", "met", box=None)
    for row in rows:
        style = {True: "green", False: "red", None: ""}[row.met]
        table.add_row(*_cells(row), style=style)
    console.print(table)


@dataclass(frozen=True)
class Measured:
    """A row, and what it was measured by.

    Attributes:
        row: the figures.
        run: ``machine``, ``load``, ``date``, ``versions`` and ``command``.
    """

    row: Row
    run: Mapping[str, str]


def write(
    folder: Path,
    rows: Sequence[Row],
    facts: Mapping[str, str],
    *,
    command: str,
    missing: Sequence[str],
    keep: bool,
) -> None:
    """``bench.csv``, ``bench.md`` and, where lengths were measured, ``bench-scaling.svg``.

    Args:
        folder: where they go.
        rows: what was measured.
        facts: see `benchmarks.machine.facts`.
        command: what measured them.
        missing: what could not be measured, and why.
        keep: whether rows of figures that were not measured now stay as they are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "bench.csv"
    now = [Measured(row, {**facts, "command": command}) for row in rows]
    kept = _read_csv(table) if keep and table.exists() else []
    everything = _renewed(kept, now)
    _write_csv(table, everything)
    lengths = [row for row in rows if row.figure == "length"]
    picture = folder / "bench-scaling.svg"
    if lengths:
        _plot(picture, lengths)
    shown = any(measured.row.figure == "length" for measured in everything)
    text = _markdown(everything, missing, plot=shown)
    (folder / "bench.md").write_text(text, encoding="utf-8")


def _renewed(kept: Sequence[Measured], now: Sequence[Measured]) -> list[Measured]:
    """What was measured now in the place of the same figure's rows, else at the end."""
    new = {measured.row.figure for measured in now}
    order = dict.fromkeys(measured.row.figure for measured in (*kept, *now))
    old = [measured for measured in kept if measured.row.figure not in new]
    return [m for figure in order for m in (*old, *now) if m.row.figure == figure]


def _write_csv(path: Path, everything: Sequence[Measured]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table: csv.DictWriter[str] | None = None
        for measured in everything:
            cells = {k: _number(v) for k, v in asdict(measured.row).items()}
            cells |= {"met": _MET[measured.row.met], **measured.run}
            if table is None:
                table = csv.DictWriter(file, list(cells), lineterminator="\n")
                table.writeheader()
            table.writerow(cells)


def _read_csv(path: Path) -> list[Measured]:
    numbers = {"ours", "other", "ratio", "low", "high", "cpu_ratio", "peak_mb"}
    names = [field.name for field in fields(Row)]
    everything = []
    with path.open(newline="", encoding="utf-8") as file:
        for cells in csv.DictReader(file):
            values: dict[str, Any] = {name: cells.pop(name) for name in names}
            values |= {k: float(v) if (v := values[k]) else None for k in numbers}
            values["repeats"] = int(values["repeats"])
            del cells["met"]
            everything.append(Measured(Row(**values), cells))
    return everything


def _number(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value


def _markdown(everything: Sequence[Measured], missing: Sequence[str], *, plot: bool) -> str:
    runs: list[Mapping[str, str]] = []
    for measured in everything:
        if measured.run not in runs:
            runs.append(measured.run)
    lines = [
        "# Speed",
        "",
        "Medians of several runs, the two sides of each line run in turn; in brackets the "
        "smallest and largest ratio of a round. "
        "What was tried to get there: [speed-notes.md](speed-notes.md).",
        "",
        "| what | ours | beside | theirs | ratio | goal | met | run |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for measured in everything:
        cells = [*_cells(measured.row, _LINKED), str(runs.index(measured.run) + 1)]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "The runs:", ""]
    lines += [
        f"{i}. `{run['command']}`, {run['date']}, on {run['machine']} (load {run['load']} at the "
        f"start), {run['versions']}."
        for i, run in enumerate(runs, 1)
    ]
    lines += [""]
    rows = [measured.row for measured in everything]
    notes = {f"{row.what}, beside {row.other_name}": row.note for row in rows if row.note}
    lines += [f"- {what}: {note}." for what, note in notes.items()]
    lines += [f"- Not measured: {figure}." for figure in missing]
    if plot:
        lines += ["", "![Time and memory against length](bench-scaling.svg)"]
    return "\n".join([*lines, ""])


def _cells(row: Row, met: Mapping[bool | None, str] = _MET) -> list[str]:
    memory = row.unit == "MB"
    ratio = f"{_short(row.ratio)} ({_short(row.low)} to {_short(row.high)})"
    return [
        row.what,
        _amount(row.ours, row.unit),
        row.other_name,
        _amount(row.other, row.unit),
        f"{ratio} MB" if memory else ratio,
        row.goal + (" MB" if memory and row.goal else ""),
        met[row.met],
    ]


def _amount(value: float, unit: str) -> str:
    if unit == "s" and value < 1:
        return f"{value * 1000:.3g} ms"
    return f"{_short(value)} {unit}"


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _plot(path: Path, rows: Sequence[Row]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    with plt.rc_context({"svg.hashsalt": "bench", "font.size": 9}):
        picture, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
        minutes = [row.other / 60 for row in rows]
        left.plot(minutes, [row.ours for row in rows], "o-", color="#2a6f97")
        left.set_ylabel("time of the process, s")
        right.plot(minutes, [row.peak_mb for row in rows], "o-", color="#2a6f97")
        right.set_ylabel("peak memory, MB")
        for axes in (left, right):
            axes.set_xlabel("length of the mp3, minutes")
            axes.set_xlim(left=0)
            axes.set_ylim(bottom=0)
            axes.spines[["top", "right"]].set_visible(False)
        picture.savefig(path, metadata={"Date": None})
        plt.close(picture)
