"""Options that several verbs take alike."""

from __future__ import annotations

import shlex
import sys
from typing import Annotated

import typer

from genrescope.files import printable

ALL = "all"
"""No split: every track in one part."""

Window = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        min=0.1,
        max=600,
        help="Length of the windows that a run judges clips by; as in training if absent.",
        show_default=False,
    ),
]


def typed() -> str:
    """The command as the user typed it, for the records of what it makes."""
    return printable(shlex.join(["genrescope", *sys.argv[1:]]))


def known_split(name: str | None) -> str | None:
    """The name as it is; BadParameter if there is no such split. For an option's ``callback``."""
    if name is not None:
        from genrescope.data.splits import SPLITS

        if name not in (*SPLITS, ALL):
            names = ", ".join((*SPLITS, ALL))
            raise typer.BadParameter(f"there is no split {name!r}; there are {names}")
    return name
