"""Which of a bundle's genres a spelling in a tag means."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from genrescope.errors import LibraryError

OUTSIDE = "outside"
_FILE = Path(__file__).parent / "files" / "families.toml"
_BETWEEN = re.compile(r"\s*[;/,|\x00]\s*")


@dataclass(frozen=True)
class Families:
    """What spellings mean.

    Attributes:
        labels: the genres of a bundle.
        table: from a folded spelling (`folded`) to a label or `OUTSIDE`.
    """

    labels: tuple[str, ...]
    table: Mapping[str, str]

    def of(self, spelling: str) -> str | None:
        """The label that a spelling means, `OUTSIDE`, or None where nobody knows it."""
        return self.table.get(folded(spelling))

    def of_tag(self, genre: str | None) -> frozenset[str]:
        """The labels that a tag's genres mean; empty where they mean none.

        A spelling that is unknown as a whole is tried in its parts ("Pop; Rock", "Rock/Pop").
        """
        if not genre:
            return frozenset()
        found: set[str] = set()
        for spelling in genre.split("; "):
            whole = self.of(spelling)
            parts = [whole] if whole else [self.of(p) for p in _BETWEEN.split(spelling)]
            found.update(part for part in parts if part is not None and part != OUTSIDE)
        return frozenset(found)

    def spelled(self, label: str) -> str:
        """How a label is written in a tag: as the table's first spelling of it, if it has one."""
        return _names().get(label, label)


def families(labels: Iterable[str], own: Mapping[str, str] | None = None) -> Families:
    """The families of a bundle: its labels as they are, then ``own``, then the table that ships.

    Args:
        labels: the bundle's; a family of the table that is none of them is outside.
        own: more spellings, each with a label or `OUTSIDE`.

    Raises:
        LibraryError: ``own`` leads to what is no label.
    """
    names = tuple(labels)
    table = {
        spelling: family if family in names else OUTSIDE for spelling, family in _shipped().items()
    }
    for spelling, family in (own or {}).items():
        if family not in (*names, OUTSIDE):
            raise LibraryError(
                spelling,
                f"it is mapped to {family!r}, which is no genre of the bundle",
                f"There are {', '.join(names)}, and {OUTSIDE}.",
            )
        table[folded(spelling)] = family
    table |= {folded(label): label for label in names}
    return Families(names, table)


def folded(spelling: str) -> str:
    """A spelling without case, accents, spaces and signs, "&" being "and"."""
    plain = unicodedata.normalize("NFKD", spelling.casefold().replace("&", "and"))
    return "".join(c for c in plain if c.isalnum())


@cache
def _table() -> dict[str, list[str]]:
    with _FILE.open("rb") as file:
        return tomllib.load(file)


@cache
def _shipped() -> dict[str, str]:
    return {folded(name): family for family, names in _table().items() for name in names}


def _names() -> dict[str, str]:
    return {family: names[0] for family, names in _table().items()}
