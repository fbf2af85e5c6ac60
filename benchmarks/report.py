"""Tables of what was measured: on the terminal, as CSV, as Markdown, and a picture."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

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


def write(
    folder: Path,
    rows: Sequence[Row],
    facts: Mapping[str, str],
    *,
    command: str,
    missing: Sequence[str],
) -> None:
    """``bench.csv``, ``bench.md`` and, where lengths were measured, ``bench-scaling.svg``."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_csv(folder / "bench.csv", rows, facts, command)
    lengths = [row for row in rows if row.figure == "length"]
    if lengths:
        _plot(folder / "bench-scaling.svg", lengths)
    text = _markdown(rows, facts, command, missing, plot=bool(lengths))
    (folder / "bench.md").write_text(text, encoding="utf-8")


def _write_csv(path: Path, rows: Sequence[Row], facts: Mapping[str, str], command: str) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table: csv.DictWriter[str] | None = None
        for row in rows:
            cells = {k: _number(v) for k, v in asdict(row).items()}
            cells |= {"met": _MET[row.met], **facts, "command": command}
            if table is None:
                table = csv.DictWriter(file, list(cells), lineterminator="\n")
                table.writeheader()
            table.writerow(cells)


def _number(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value


def _markdown(
    rows: Sequence[Row],
    facts: Mapping[str, str],
    command: str,
    missing: Sequence[str],
    *,
    plot: bool,
) -> str:
    lines = [
        "# Speed",
        "",
        f"`{command}`, {facts['date']}, on {facts['machine']} (load {facts['load']} at the start). "
        "Medians of several runs, the two sides of each line run in turn; in brackets the "
        "smallest and largest ratio of a round. "
        "What was tried to get there: [speed-notes.md](speed-notes.md).",
        "",
        "| what | ours | beside | theirs | ratio | goal | met |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [f"| {' | '.join(_cells(row, _LINKED))} |" for row in rows]
    lines += [""]
    notes = {f"{row.what}, beside {row.other_name}": row.note for row in rows if row.note}
    lines += [f"- {what}: {note}." for what, note in notes.items()]
    lines += [f"- Not measured: {one}." for one in missing]
    if plot:
        lines += ["", "![Time and memory against length](bench-scaling.svg)"]
    lines += ["", f"Versions: {facts['versions']}.", ""]
    return "\n".join(lines)


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
