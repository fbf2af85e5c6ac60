"""Text for people, in which what a terminal cannot show or would obey is spelt out."""

from __future__ import annotations

import contextlib
import os
import sys
import unicodedata
from pathlib import Path
from typing import Any, TextIO

import click

_last_line = ""
"""What stands on the last line of the terminal of standard error, such as a progress bar."""


def echo(text: str = "", *, err: bool = False, **style: Any) -> None:
    """Print text at once, on standard output or standard error.

    Args:
        text: one or more lines; control characters other than line ends are spelt out.
        err: print it on standard error.
        style: as for `click.style`; left out where the stream is no terminal or takes no colours.

    Raises:
        OSError: the stream cannot be written, such as to a full disk.
    """
    stream = sys.stderr if err else sys.stdout
    safe = "\n".join(printable(line) for line in text.split("\n"))
    write(styled(safe, stream, **style), stream)


def write(text: str, stream: TextIO | None = None) -> None:
    """Print lines as they are, on standard output or ``stream``, above a progress bar."""
    stream = stream or sys.stdout
    drawn = _last_line
    if drawn and stream.isatty():
        draw_last_line("")
    print(text, file=stream, flush=True)
    if drawn and stream.isatty():
        draw_last_line(drawn)


def draw_last_line(line: str) -> None:
    """Put a line, no wider than the terminal, in place of the last that was put there; or none."""
    global _last_line
    if (line or _last_line) and sys.stderr.isatty():
        wipe = " " * (cells(_last_line) - cells(line))
        sys.stderr.write(f"\r{line}{wipe}" if line else f"\r{wipe}\r")
        sys.stderr.flush()
    _last_line = line


def styled(text: str, stream: TextIO | None = None, **style: Any) -> str:
    """Text with a style, where ``stream`` (standard output by default) is a terminal for it."""
    plain = not (text and style) or not (stream or sys.stdout).isatty() or "NO_COLOR" in os.environ
    return text if plain else click.style(text, **style)


def printable(text: str) -> str:
    """Text whose control characters, which could drive the terminal, are spelt out."""
    return "".join(c if c.isprintable() or _is_space(c) else ascii(c)[1:-1] for c in text)


def _is_space(character: str) -> bool:
    """Whether it is a space of any width, but no line end and no tab."""
    return unicodedata.category(character) == "Zs"


def columns_of_terminal() -> int | None:
    """How wide the terminal is that standard output goes to; None where it goes elsewhere."""
    return _columns() if sys.stdout.isatty() else None


def _columns() -> int:
    import shutil  # and with it every kind of archive: not for an answer into a pipe

    return shutil.get_terminal_size().columns


def cells(text: str) -> int:
    """Columns a text takes on a terminal."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def fit(text: str, width: int | None = None, *, keep_end: bool = True) -> str:
    """A text cut to so many cells, by default to those of a line of the terminal.

    Of one that is too long the end is kept, for paths differ there, or else the beginning.
    """
    if width is None:
        width = _columns() - 1  # what fills a line would start another
    if cells(text) <= width:
        return text
    mark = "…" if can_show("…") else "..."
    room = width - len(mark)
    kept = reversed(text) if keep_end else iter(text)
    part = ""
    for character in kept:
        room -= cells(character)
        if room < 0:
            break
        part += character
    return mark + part[::-1] if keep_end else part + mark


def padded(text: str, width: int, *, right: bool = False) -> str:
    """A text with spaces after it, or before it, so that it takes so many cells."""
    spaces = " " * (width - cells(text))
    return spaces + text if right else text + spaces


def can_show(text: str, stream: TextIO | None = None) -> bool:
    """Whether the encoding of ``stream`` (standard output by default) has all these characters."""
    try:
        text.encode((stream or sys.stdout).encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def table(
    rows: list[list[str]], *, right: tuple[int, ...] = (), head: bool = False, gap: int = 2
) -> list[str]:
    """Lines of rows whose columns stand below each other.

    Args:
        rows: as many cells in each; the last column is not padded.
        right: columns whose cells stand at their right edge.
        head: whether the first row is of heads, to be shown faint.
        gap: spaces between columns.
    """
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(cells, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        parts = [
            padded(cell, width, right=i in right)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append((" " * gap).join(parts).rstrip())
    if head and lines:
        lines[0] = styled(lines[0], dim=True)
    return lines


def prepare() -> None:
    """Make standard output and standard error take any text, even where they are closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # it was closed before
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        else:
            with contextlib.suppress(AttributeError):  # replaced by what is no text file
                stream.reconfigure(errors="backslashreplace")
