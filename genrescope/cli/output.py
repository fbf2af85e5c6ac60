"""How answers are printed: JSON lines, CSV, or a table for people."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

import typer

from genrescope.model.prediction import Prediction

# Cells of a line's parts.
_BAR = 6
_LABEL = 9  # a longer name of a genre moves the rest of its line
_SHARE = _LABEL + 6 + _BAR  # name, percentage, bar
_FLAGS = 12
_WIDE = 100  # from here on two runners-up have room


class Output(Protocol):
    """Where answers go, one at a time, on standard output at once."""

    def answer(self, path: str, prediction: Prediction) -> None:
        """Print what a file is."""

    def failure(self, path: str, message: str) -> None:
        """Print, where the format has a place for it, why a file has no answer."""


class JsonLines:
    """One object a line: the prediction with its ``path``, or ``path`` and ``error``."""

    def answer(self, path: str, prediction: Prediction) -> None:
        _print(json.dumps({"path": path, **prediction.to_dict()}))

    def failure(self, path: str, message: str) -> None:
        _print(json.dumps({"path": path, "error": message}))


class Csv:
    """A header, then one row a file; flags are separated by spaces."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        self._columns = ["path", "genre", "confidence", *labels]
        self._columns += ["duration_s", "flags", "bundle", "error"]
        self._write({name: name for name in self._columns})

    def answer(self, path: str, prediction: Prediction) -> None:
        row = prediction.to_dict()
        row |= {"path": path, "flags": " ".join(prediction.flags), **row["probabilities"]}
        self._write({name: row.get(name) for name in self._columns})

    def failure(self, path: str, message: str) -> None:
        self._write({"path": path, "error": message})

    def _write(self, row: dict[str, object]) -> None:
        line = io.StringIO()
        csv.DictWriter(line, self._columns, lineterminator="").writerow(row)
        _print(line.getvalue())


class Table:
    """A line a file: name, genre, probability, and the runners-up, each with a small bar."""

    def __init__(self, paths: list[str]) -> None:
        columns = shutil.get_terminal_size((_WIDE, 24)).columns
        self._runners_up = 2 if columns >= _WIDE else 1
        room = columns - (1 + self._runners_up) * (_SHARE + 2) - _FLAGS
        longest = max((_cells(printable(path)) for path in paths), default=4)
        self._width = max(4, min(longest, max(16, room)))
        self._headed = False

    def answer(self, path: str, prediction: Prediction) -> None:
        if not self._headed:
            self._headed = True
            head = f"{_fit('file', self._width)}  {'genre':<{_SHARE}}  runners-up"
            _print(_styled(head, dim=True))
        first, *others = prediction.ranking()[: 1 + self._runners_up]
        if prediction.genre is None:
            best, rest = _styled("no label".ljust(_SHARE), dim=True), ""
        else:
            best = _styled(_share(*first), bold=True)
            rest = _styled("  ".join(_share(*other) for other in others), dim=True)
        flags = _styled("  ".join(prediction.flags), fg="yellow")
        cells = [_fit(printable(path), self._width), best, rest, flags]
        _print("  ".join(cell for cell in cells if cell).rstrip())

    def failure(self, path: str, message: str) -> None:
        """Standard error has said it."""


def complain(message: str) -> None:
    """Say on standard error what went wrong with one input."""
    error = _styled("error", sys.stderr, fg="red")
    print(f"{error}: {printable(message)}", file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """Text whose control characters, which could drive the terminal, are spelt out."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


@contextmanager
def progress(total: int, *, lines: bool) -> Iterator[Callable[[], None]]:
    """A bar on standard error where that is a terminal and there is more than one thing to do.

    Args:
        total: how many things.
        lines: whether the answers may be on the same terminal, that is, in lines that fit it.

    Yields:
        What to call when one is done.
    """
    clash = sys.stdout.isatty() and not lines
    if total < 2 or not sys.stderr.isatty() or clash:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    bar = Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        # On the same terminal answers go above the bar; in a pipe they go their own way.
        redirect_stdout=sys.stdout.isatty(),
    )
    with bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)


def _share(label: str, probability: float) -> str:
    return f"{label:<{_LABEL}} {probability:4.0%} {_bar(probability)}"


def _bar(share: float) -> str:
    """A bar of eighths of a cell."""
    whole, eighths = divmod(round(share * _BAR * 8), 8)
    return ("█" * whole + " ▏▎▍▌▋▊▉"[eighths]).ljust(_BAR)[:_BAR]


def _cells(text: str) -> int:
    """Columns a text takes on a terminal."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def _fit(text: str, width: int) -> str:
    """A text in so many cells; of one too long the end is kept, for paths differ there."""
    if _cells(text) > width:
        while _cells(text) > width - 1:
            text = text[1:]
        text = "…" + text
    return text + " " * (width - _cells(text))


def _styled(text: str, stream: TextIO | None = None, **style: Any) -> str:
    """Styled where standard output, or ``stream``, is a terminal that takes it."""
    plain = not text or not (stream or sys.stdout).isatty() or "NO_COLOR" in os.environ
    return text if plain else typer.style(text, **style)


def _print(line: str) -> None:
    """One line, at once. What standard output's encoding cannot say is spelt out."""
    encoding = sys.stdout.encoding or "utf-8"
    # Not typer.echo: it writes past the progress bar, into the bar's own line.
    print(line.encode(encoding, "backslashreplace").decode(encoding), flush=True)
