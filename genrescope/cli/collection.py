"""What the verbs of ``genrescope library`` share: options, the open catalogue, printing songs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from genrescope.cli.options import PATH, F, bundle_option
from genrescope.cli.terminal import echo, printable

if TYPE_CHECKING:
    from genrescope.library.catalogue import Catalogue
    from genrescope.library.families import Families
    from genrescope.library.songs import Song
    from genrescope.model.bundle import Bundle


def catalogue_option(function: F) -> F:
    """``--catalogue``"""
    return click.option(
        "--catalogue",
        "catalogue_path",
        type=PATH,
        metavar="FILE",
        help="The catalogue's file; the one in your data folder if absent.",
    )(function)


def collection_options(function: F) -> F:
    """``--catalogue`` and ``--bundle``"""
    option = bundle_option("The model whose answers count", name="bundle_path")
    return option(catalogue_option(function))


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")


@dataclass(frozen=True)
class Collection:
    """An open catalogue seen by one bundle.

    Attributes:
        number: the bundle's in the catalogue.
        families: what spellings of genres mean to the bundle.
    """

    catalogue: Catalogue
    bundle: Bundle
    number: int
    families: Families

    def find(self, query: Iterable[str]) -> Iterator[Song]:
        """Songs that the words of a query name."""
        from genrescope.library.query import find

        return find(self.catalogue, self.number, self.families, query_of(query))

    def song(self, path: Path) -> Song:
        """The song at a path (LibraryError)."""
        from genrescope.errors import LibraryError
        from genrescope.library.songs import by_path

        song = by_path(self.catalogue, self.number, str(path))
        if song is None:
            raise LibraryError(
                str(path), "the catalogue does not know it", "Scan its folder first."
            )
        return song


@contextmanager
def opened(catalogue_path: Path | None, bundle_path: Path | None) -> Iterator[Collection]:
    """The collection that two options mean."""
    from genrescope.library.catalogue import Catalogue
    from genrescope.library.families import families
    from genrescope.model.bundle import Bundle

    bundle = Bundle.load(bundle_path)
    with Catalogue(catalogue_path) as catalogue:
        number = catalogue.bundle_id(bundle)
        yield Collection(catalogue, bundle, number, families(bundle.labels))


def query_of(words: Iterable[str]) -> str:
    """The words of a command line as one query: each stays one term, whatever it holds."""
    import shlex

    return " ".join(map(shlex.quote, words))


def print_songs(songs: Iterable[Song], *, as_json: bool) -> None:
    """A line a song: its tag, its sound, its path."""
    for song in songs:
        if as_json:
            print(json.dumps(song.to_dict()), flush=True)
            continue
        sound = "not judged"
        if song.error:
            sound = "failed"
        elif song.is_judged:
            sound = "-" if song.sound is None else f"{song.sound} {song.confidence:.0%}"
        flags = "  ".join(("", *song.flags))
        echo(f"{song.genre or '-':<18.18}  {sound:<16}  {printable(song.path)}{flags}")
