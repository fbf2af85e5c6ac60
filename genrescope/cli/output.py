"""How answers are printed: JSON lines, CSV, or a table for people."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from typing import Protocol

from genrescope.cli.terminal import (
    can_show,
    cells,
    columns_of_terminal,
    echo,
    fit,
    padded,
    printable,
    styled,
    write,
)
from genrescope.cli.walk import Found
from genrescope.files import inert
from genrescope.model.prediction import NO_BEAT, Prediction

Stamp = Callable[[Found], str]

# Cells of a line's parts.
_BAR = 6
_LABEL = 9  # a longer name of a genre moves the rest of its line
_SHARE = _LABEL + 6 + _BAR  # name, percentage, bar
_BEAT = 23  # tempo and key
_FLAGS = 12
_EIGHTHS = " ▏▎▍▌▋▊▉█"
# Columns from which there is room for more than a runner-up.
_WIDE = 100
_WIDEST = 124
_IN_LETTERS = str.maketrans({"♭": "b", "♯": "#"})


class Output(Protocol):
    """Where answers go, one at a time and at once."""

    def answer(self, found: Found, prediction: Prediction) -> None:
        """Print what a file is."""

    def failure(self, found: Found, message: str) -> None:
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

    def answer(self, found: Found, prediction: Prediction) -> None:
        stamp = {} if self._stamp is None else {"stamp": self._stamp(found)}
        self.write(json.dumps({"path": found.path, **stamp, **prediction.to_dict()}))

    def failure(self, found: Found, message: str) -> None:
        self.write(json.dumps({"path": found.path, "error": message}))

    def read(self, record: str) -> tuple[str, str]:
        """Path and stamp of a line, the stamp empty for a failure; ValueError if it is none."""
        try:
            value = json.loads(record)
        except RecursionError as error:  # of 100,000 brackets
            raise ValueError("no record") from error
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
        self._columns += ["tempo_bpm", "tempo_confidence", "tempo_other_bpm"]
        self._columns += ["key", "key_camelot", "key_confidence"]
        self._columns += ["duration_s", "flags", "bundle", "error"]
        self.header: str | None = self._row({name: name for name in self._columns})
        self.start = f"{self.header}\n"
        self.write: Callable[[str], None] = _record
        if stamp is None:
            self.write(self.header)

    def answer(self, found: Found, prediction: Prediction) -> None:
        row = prediction.to_dict()
        row |= _flat(prediction)
        row |= {"path": found.path, "flags": ";".join(prediction.flags), **row["probabilities"]}
        if self._stamp is not None:
            row["stamp"] = self._stamp(found)
        self.write(self._row({name: row.get(name) for name in self._columns}))

    def failure(self, found: Found, message: str) -> None:
        self.write(self._row({"path": found.path, "error": message}))

    def read(self, record: str) -> tuple[str, str]:
        """As `JsonLines.read`."""
        import csv

        try:
            cells = next(csv.reader(io.StringIO(record, newline=""), strict=True), [])
        except csv.Error as error:
            raise ValueError("no record") from error
        if len(cells) != len(self._columns):
            raise ValueError("no record")
        row = dict(zip(self._columns, cells, strict=True))
        return row["path"], "" if row["error"] else row.get("stamp", "")

    def _row(self, row: dict[str, object]) -> str:
        import csv

        line = io.StringIO(newline="")
        safe = {name: _inert(cell, name) for name, cell in row.items()}
        # What is no line end to it, Python's writer would not put in quotes.
        csv.DictWriter(line, self._columns, lineterminator="\r\n").writerow(safe)
        return line.getvalue().removesuffix("\r\n")


def _flat(prediction: Prediction) -> dict[str, object]:
    """Tempo and key as cells, empty where there is none."""
    tempo = {} if prediction.tempo is None else prediction.tempo.to_dict()
    key = {} if prediction.key is None else prediction.key.to_dict()
    return {
        "tempo_bpm": tempo.get("bpm"),
        "tempo_confidence": tempo.get("confidence"),
        "tempo_other_bpm": tempo.get("other"),
        "key": key.get("name"),
        "key_camelot": key.get("camelot"),
        "key_confidence": key.get("confidence"),
    }


class Table:
    """A line a file: name, genre and runners-up with their probabilities and bars, tempo, key.

    Args:
        paths: all that may be answered.
        beat: whether tempo or key are told; a terminal has room for them in place of the second
            runner-up, for both if it is wide, for neither if it is narrow.
    """

    def __init__(self, paths: list[str], *, beat: bool = False) -> None:
        columns = columns_of_terminal()
        self._beat = beat and (columns is None or columns >= _WIDE)
        enough = _WIDEST if self._beat else _WIDE
        self._runners_up = 2 if columns is None or columns >= enough else 1
        self._width = max(cells(printable(path)) for path in ("file", *paths))
        if columns is not None:  # elsewhere, as in a pipe, names are never cut
            room = columns - (1 + self._runners_up) * (_SHARE + 2) - _FLAGS
            room -= _BEAT + 2 if self._beat else 0
            self._width = min(self._width, max(16, room))
        self._headed = False

    def answer(self, found: Found, prediction: Prediction) -> None:
        if not self._headed:
            self._headed = True
            head = [self._name("file"), "genre".ljust(_SHARE), "runners-up"]
            if self._beat:
                head = [*head[:2], head[2].ljust(self._runners_up * (_SHARE + 2) - 2), "tempo, key"]
            write(styled("  ".join(head), dim=True))
        first, *others = prediction.ranking()[: 1 + self._runners_up]
        if prediction.genre is None:
            best, rest = styled("no label".ljust(_SHARE), dim=True), ""
        else:
            best = styled(_share(*first), bold=True)
            rest = styled("  ".join(_share(*other) for other in others), dim=True)
        beat = padded(_beat(prediction), _BEAT) if self._beat and rest else ""
        flags = styled("  ".join(prediction.flags), fg="yellow")
        parts = [self._name(found.path), best, rest, beat, flags]
        write("  ".join(part for part in parts if part).rstrip())

    def failure(self, found: Found, message: str) -> None:
        """Nothing: `complain` prints it on standard error."""

    def _name(self, path: str) -> str:
        return padded(fit(printable(path), self._width), self._width)


def _inert(cell: object, column: str) -> object:
    """A cell of CSV that no spreadsheet takes for a formula.

    A path gets the prefix ``./``, with which it still is the same path; other text an apostrophe.
    """
    if not isinstance(cell, str) or inert(cell) == cell:
        return cell
    return f"./{cell}" if column == "path" else inert(cell)


def complain(message: str) -> None:
    """Print on standard error what went wrong with an input."""
    error = styled("error", sys.stderr, fg="red")
    write(f"{error}: {printable(message)}", sys.stderr)


def _share(label: str, probability: float) -> str:
    return f"{label:<{_LABEL}} {probability:4.0%} {_bar(probability)}"


def _beat(prediction: Prediction) -> str:
    """Tempo and key, such as ``98 bpm, A minor (8A)``; each where it is known, and there is one."""
    tempo, key = prediction.tempo, prediction.key
    told = []
    if tempo is not None and NO_BEAT not in prediction.flags:
        told.append(f"{tempo.bpm:.0f} bpm")
    if key is not None:
        name = key.name if can_show(key.name) else key.name.translate(_IN_LETTERS)
        told.append(f"{name} ({key.camelot})")
    return ", ".join(told)


def _bar(share: float) -> str:
    """A bar of eighths of a cell, of whole cells where the encoding has no eighths."""
    if not can_show(_EIGHTHS):
        return ("#" * round(share * _BAR)).ljust(_BAR)
    whole, eighths = divmod(round(share * _BAR * 8), 8)
    return ("█" * whole + _EIGHTHS[eighths]).ljust(_BAR)[:_BAR]


def _record(line: str) -> None:
    """Print a record: exactly where a program reads it, without control characters to people."""
    if sys.stdout.isatty():
        echo(line)
    else:
        write(line)
