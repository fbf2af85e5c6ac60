"""Names of splits, as options of verbs take them."""

from __future__ import annotations

import typer

ALL = "all"
"""No split: every track in one part."""


def known_split(name: str | None) -> str | None:
    """The name as it is; BadParameter if there is no such split. For an option's ``callback``."""
    if name is not None:
        from genrescope.data.splits import SPLITS

        if name not in (*SPLITS, ALL):
            names = ", ".join((*SPLITS, ALL))
            raise typer.BadParameter(f"there is no split {name!r}; there are {names}")
    return name
