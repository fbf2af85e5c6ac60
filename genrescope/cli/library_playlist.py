"""``genrescope library playlist``: like, path, arc, around, extend, make"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from genrescope.cli.collection import collection_options, opened
from genrescope.cli.options import PATH, F, Group
from genrescope.cli.terminal import echo, printable

if TYPE_CHECKING:
    from genrescope.library.playlist import Recipe


@click.group(cls=Group, subcommand_metavar="VERB ...")
def playlist() -> None:
    """Make lists of songs that go together.

    First comes what all songs must be (--only, --not-in; never silence or speech), then how near
    they are in sound, then an order in which each leads to the next.
    """


def _list_options(function: F) -> F:
    """What every list takes."""
    options = [
        click.option(
            "--n", type=click.IntRange(1, 1000), metavar="N", default=30, help="How many songs."
        ),
        click.option(
            "--seed", type=int, default=0, metavar="N", help="Another seed gives another list."
        ),
        click.option(
            "--only",
            default="",
            show_default=False,
            metavar="QUERY",
            help="A query that every song must match, as for list.",
        ),
        click.option(
            "--not-in",
            type=PATH,
            multiple=True,
            metavar="FILE",
            help="Leave out the songs of a playlist, such as those that were played lately.",
        ),
        click.option("--out", type=PATH, metavar="FILE", help="Write an m3u8 file."),
        click.option(
            "--recipe",
            type=PATH,
            metavar="FILE",
            help="Write a recipe, by which make makes the list again.",
        ),
        collection_options,
    ]
    for option in reversed(options):
        function = option(function)
    return function


@playlist.command()
@click.argument("songs", type=PATH, nargs=-1, required=True, metavar="SONG...")
@_list_options
def like(songs: tuple[Path, ...], **options: Any) -> None:
    """Make a list of the songs you name and, after them, songs that sound like them."""
    _make("like", songs, **options)


@playlist.command("path")
@click.argument("first", type=PATH, metavar="FROM")
@click.argument("last", type=PATH, metavar="TO")
@_list_options
def way(first: Path, last: Path, **options: Any) -> None:
    """Make a list that leads from a song to another in even steps."""
    _make("path", (first, last), **options)


@playlist.command()
@click.argument("first", type=PATH, metavar="FROM")
@click.argument("peak", type=PATH, metavar="PEAK")
@_list_options
def arc(first: Path, peak: Path, **options: Any) -> None:
    """Make a list that leads from a song to another, and back."""
    _make("arc", (first, peak), **options)


@playlist.command()
@click.argument("genre")
@_list_options
def around(genre: str, **options: Any) -> None:
    """Make a list of the songs that sound most like a genre."""
    _make("around", (), genre=genre, **options)


@playlist.command()
@click.argument("file", type=PATH, metavar="FILE")
@_list_options
def extend(file: Path, **options: Any) -> None:
    """Make a list of a playlist's songs and, after them, songs that sound like them."""
    from genrescope.library.playlist import read_m3u

    songs = tuple(map(Path, read_m3u(file)))
    _make("like", songs, locked=songs, **options)


@playlist.command()
@click.argument("recipe_path", type=PATH, metavar="RECIPE")
@click.option("--refresh", is_flag=True, help="Take another seed, and keep it in the recipe.")
@click.option("--out", type=PATH, metavar="FILE", help="Write an m3u8 file.")
@collection_options
def make(
    recipe_path: Path,
    refresh: bool,
    out: Path | None,
    catalogue_path: Path | None,
    bundle_path: Path | None,
) -> None:
    """Make a list by its recipe: the same again, or with --refresh another one.

    What "locked" lists in the recipe stays.
    """
    from genrescope.library.playlist import read_recipe

    recipe = read_recipe(recipe_path)
    if refresh:
        recipe = replace(recipe, seed=recipe.seed + 1)
    _print(recipe, out, recipe_path if refresh else None, catalogue_path, bundle_path)


def _make(
    kind: str,
    songs: tuple[Path, ...],
    *,
    n: int,
    seed: int,
    only: str,
    not_in: tuple[Path, ...],
    out: Path | None,
    recipe: Path | None,
    catalogue_path: Path | None,
    bundle_path: Path | None,
    genre: str | None = None,
    locked: tuple[Path, ...] = (),
) -> None:
    from genrescope.library.playlist import Recipe

    made = Recipe(
        kind=kind,
        songs=_absolute(songs),
        genre=genre,
        n=n,
        seed=seed,
        only=only,
        not_in=_absolute(not_in),
        locked=_absolute(locked),
    )
    _print(made, out, recipe, catalogue_path, bundle_path)


def _absolute(paths: tuple[Path, ...]) -> tuple[str, ...]:
    return tuple(str(path.absolute()) for path in paths)


def _print(
    recipe: Recipe,
    out: Path | None,
    recipe_path: Path | None,
    catalogue_path: Path | None,
    bundle_path: Path | None,
) -> None:
    from genrescope.files import atomic_write
    from genrescope.library.export import export
    from genrescope.library.playlist import make_list
    from genrescope.library.vectors import load_vectors

    with opened(catalogue_path, bundle_path) as collection:
        labels = collection.families.labels
        vectors = load_vectors(collection.catalogue, collection.number, labels)
        songs = make_list(
            collection.catalogue, collection.number, collection.families, vectors, recipe
        )
    if recipe_path is not None:
        with atomic_write(recipe_path) as part:
            part.write_text(recipe.to_json(), encoding="utf-8")
    if out is not None:
        echo(f"{export(songs, 'm3u8', out)} songs in {out}")
        return
    for song in songs:
        echo(printable(song.path))
