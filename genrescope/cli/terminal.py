"""Text for people, in which what a terminal cannot show or would obey is spelt out."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import unicodedata
from pathlib import Path
from typing import Any, TextIO

import click


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
    print(styled(safe, stream, **style), file=stream, flush=True)


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
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def can_show(text: str, stream: TextIO | None = None) -> bool:
    """Whether the encoding of ``stream`` (standard output by default) has all these characters."""
    try:
        text.encode((stream or sys.stdout).encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def prepare() -> None:
    """Make standard output and standard error take any text, even where they are closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # it was closed before
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        else:
            with contextlib.suppress(AttributeError):  # replaced by what is no text file
                stream.reconfigure(errors="backslashreplace")
