"""How answers are printed: JSON lines, CSV, or a table for people."""

from __future__ import annotations

import csv
import io
import json
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from genrescope.cli.terminal import can_show, columns_of_terminal, echo, printable, styled
from genrescope.cli.walk import Found
from genrescope.model.prediction import Prediction

Stamp = Callable[[Found], str]

# Cells of a line's parts.
_BAR = 6
_LABEL = 9  # a longer name of a genre moves the rest of its line
_SHARE = _LABEL + 6 + _BAR  # name, percentage, bar
_FLAGS = 12
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_WIDE = 100  # from here on two runners-up have room


class Output(Protocol):
    """Where answers go, one at a time and at once."""

    def answer(self, one: Found, prediction: Prediction) -> None:
        """Print what a file is."""

    def failure(self, one: Found, message: str) -> None:
        """Print, where the format has a place for it, why a file has no answer."""


class JsonLines:
    """One object a line: the prediction with its ``path``, or ``path`` and ``error``.

    Args:
        stamp: what an answer holds for; goes into the record as ``stamp``. None leaves it out.

    Attributes:
        write: takes a line; standard output if nothing else is set.
    """

    header: str | None = None
    start = '{"path": "'
    quotes = False

    def __init__(self, *, stamp: Stamp | None = None) -> None:
        self.write: Callable[[str], None] = _record
        self._stamp = stamp

    def answer(self, one: Found, prediction: Prediction) -> None:
        stamp = {} if self._stamp is None else {"stamp": self._stamp(one)}
        self.write(json.dumps({"path": one.path, **stamp, **prediction.to_dict()}))

    def failure(self, one: Found, message: str) -> None:
        self.write(json.dumps({"path": one.path, "error": message}))

    def read(self, record: str) -> tuple[str, str]:
        """Path and stamp of a line, the stamp empty for a failure; ValueError if it is none."""
        value = json.loads(record)
        if not isinstance(value, dict) or not isinstance(value.get("path"), str):
            raise ValueError("no record")
        return value["path"], "" if "error" in value else str(value.get("stamp", ""))


class Csv:
    """A header, then one row a file; flags are separated by semicolons.

    Args:
        labels: the classes; each has a column of probabilities.
        stamp: as for `JsonLines`; without one, the header goes to standard output at once.
    """

    quotes = True

    def __init__(self, labels: tuple[str, ...], *, stamp: Stamp | None = None) -> None:
        self._stamp = stamp
        self._columns = ["path", *(["stamp"] if stamp else []), "genre", "confidence", *labels]
        self._columns += ["duration_s", "flags", "bundle", "error"]
        self.header: str | None = self._row({name: name for name in self._columns})
        self.start = f"{self.header}\n"
        self.write: Callable[[str], None] = _record
        if stamp is None:
            self.write(self.header)

    def answer(self, one: Found, prediction: Prediction) -> None:
        row = prediction.to_dict()
        row |= {"path": one.path, "flags": ";".join(prediction.flags), **row["probabilities"]}
        if self._stamp is not None:
            row["stamp"] = self._stamp(one)
        self.write(self._row({name: row.get(name) for name in self._columns}))

    def failure(self, one: Found, message: str) -> None:
        self.write(self._row({"path": one.path, "error": message}))

    def read(self, record: str) -> tuple[str, str]:
        """As `JsonLines.read`."""
        try:
            cells = next(csv.reader(io.StringIO(record, newline=""), strict=True), [])
        except csv.Error as error:
            raise ValueError("no record") from error
        if len(cells) != len(self._columns):
            raise ValueError("no record")
        row = dict(zip(self._columns, cells, strict=True))
        return row["path"], "" if row["error"] else row.get("stamp", "")

    def _row(self, row: dict[str, object]) -> str:
        line = io.StringIO(newline="")
        # What is no line end to it, Python's writer would not put in quotes.
        csv.DictWriter(line, self._columns, lineterminator="\r\n").writerow(row)
        return line.getvalue().removesuffix("\r\n")


class Table:
    """A line a file: name, genre, probability, and the runners-up, each with a small bar."""

    def __init__(self, paths: list[str]) -> None:
        columns = columns_of_terminal()
        self._runners_up = 2 if columns is None or columns >= _WIDE else 1
        self._width = max(_cells(printable(path)) for path in ("file", *paths))
        if columns is not None:  # elsewhere, as in a pipe, names are never cut
            room = columns - (1 + self._runners_up) * (_SHARE + 2) - _FLAGS
            self._width = min(self._width, max(16, room))
        self._headed = False

    def answer(self, one: Found, prediction: Prediction) -> None:
        if not self._headed:
            self._headed = True
            head = f"{_fit('file', self._width)}  {'genre':<{_SHARE}}  runners-up"
            print(styled(head, dim=True), flush=True)
        first, *others = prediction.ranking()[: 1 + self._runners_up]
        if prediction.genre is None:
            best, rest = styled("no label".ljust(_SHARE), dim=True), ""
        else:
            best = styled(_share(*first), bold=True)
            rest = styled("  ".join(_share(*other) for other in others), dim=True)
        flags = styled("  ".join(prediction.flags), fg="yellow")
        cells = [_fit(printable(one.path), self._width), best, rest, flags]
        print("  ".join(cell for cell in cells if cell).rstrip(), flush=True)

    def failure(self, one: Found, message: str) -> None:
        """Standard error has said it."""


def complain(message: str) -> None:
    """Say on standard error what went wrong with one input."""
    error = styled("error", sys.stderr, fg="red")
    print(f"{error}: {printable(message)}", file=sys.stderr, flush=True)


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
    """A bar of eighths of a cell, of whole cells where the encoding has no eighths."""
    if not can_show(_EIGHTHS):
        return ("#" * round(share * _BAR)).ljust(_BAR)
    whole, eighths = divmod(round(share * _BAR * 8), 8)
    return ("█" * whole + _EIGHTHS[eighths]).ljust(_BAR)[:_BAR]


def _cells(text: str) -> int:
    """Columns a text takes on a terminal."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def _fit(text: str, width: int) -> str:
    """A text in so many cells; of one too long the end is kept, for paths differ there."""
    if _cells(text) > width:
        mark = "…" if can_show("…") else "..."
        room, first = width - len(mark), len(text)
        while first and room >= _cells(text[first - 1]):
            first -= 1
            room -= _cells(text[first])
        text = mark + text[first:]
    return text + " " * (width - _cells(text))


def _record(line: str) -> None:
    """Print a record: exactly where a program reads it, without control characters to people."""
    if sys.stdout.isatty():
        echo(line)
    else:
        print(line, flush=True)
