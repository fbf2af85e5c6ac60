"""``genrescope library tags``: plan, apply, undo, diff, runs"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from genrescope.cli.collection import catalogue_option, collection_options, opened
from genrescope.cli.options import PATH, Group
from genrescope.cli.terminal import echo, printable

if TYPE_CHECKING:
    from genrescope.cli.progress import Bar
    from genrescope.library.tags.apply import Report
    from genrescope.library.tags.plan import Change

_links_option = click.option(
    "--hard-links", is_flag=True, help="Also change files with several names (hard links)."
)
_write_option = click.option(
    "--write", is_flag=True, help="Write; without it, only say what would be written."
)


@click.group(cls=Group, subcommand_metavar="VERB ...")
def tags() -> None:
    """Plan tags, write them without harm to a file, and take them back.

    Each write is made to a copy, which takes the file's place only when its sound and all other
    fields are proven to be the same.
    """


@tags.command()
@click.argument("query", nargs=-1, metavar="[QUERY...]")
@click.option(
    "--genre",
    type=click.Choice(["fill", "add", "replace", "none"]),
    default="fill",
    help="Write the genre where a file has none; beside what it has; over what it has; never.",
)
@_links_option
@collection_options
def plan(
    query: tuple[str, ...],
    genre: str,
    hard_links: bool,
    catalogue_path: Path | None,
    bundle_path: Path | None,
) -> None:
    """Print what could be written, one change a line; the lines may be edited.

    Genrescope's own fields are planned for all that is music, the genre only where the sound
    leaves no doubt. A query is as for list.
    """
    from genrescope.library.tags.plan import make_plan, to_line

    with opened(catalogue_path, bundle_path) as collection:
        made = make_plan(
            collection.catalogue,
            collection.bundle,
            collection.families,
            mode=genre,
            chosen=list(collection.find(query)),
            hard_links=hard_links,
        )
    for change in made.changes:
        print(to_line(change))
    share = made.genres / made.considered if made.considered else 0.0
    echo(
        f"{len(made.changes)} changes; a genre for {made.genres} of {made.considered} judged "
        f"songs ({share:.0%})",
        err=True,
    )
    if made.precision is None:
        echo("  how often such a genre is right, the model's card does not tell", err=True)
    else:
        echo(f"  of each genre at least {made.precision:.0%} are right, by the card", err=True)
    for reason, count in made.abstained.most_common():
        echo(f"  {count} without: {reason}", err=True)


@tags.command()
@click.argument("plan_path", type=PATH, metavar="PLAN")
@_write_option
@_links_option
@click.option("--keep-time", is_flag=True, help="Keep each file's time of last change.")
@catalogue_option
def apply(
    plan_path: Path,
    write: bool,
    hard_links: bool,
    keep_time: bool,
    catalogue_path: Path | None,
) -> None:
    """Carry out a plan, or without --write say what would come of it."""
    from genrescope.library.catalogue import Catalogue
    from genrescope.library.tags.apply import apply_changes
    from genrescope.library.tags.plan import read_plan

    changes = read_plan(plan_path)
    with Catalogue(catalogue_path) as catalogue, _progress(changes, write) as shown:
        report = apply_changes(
            catalogue,
            changes,
            dry=not write,
            hard_links=hard_links,
            keep_time=keep_time,
            progress=lambda _: shown.advance(),
        )
    _print(report, write)


@tags.command()
@click.argument("run", type=int, metavar="RUN")
@_write_option
@catalogue_option
def undo(run: int, write: bool, catalogue_path: Path | None) -> None:
    """Take back what a run wrote; name the files that have changed since.

    The runs and their numbers are listed by tags runs.
    """
    from genrescope.library.catalogue import Catalogue
    from genrescope.library.tags.apply import undo as take_back

    with Catalogue(catalogue_path) as catalogue:
        report = take_back(catalogue, run, dry=not write)
    _print(report, write)


@tags.command()
@click.argument("what", metavar="PLAN|RUN")
@catalogue_option
def diff(what: str, catalogue_path: Path | None) -> None:
    """Show the changes of a plan, or those that a run wrote, as before and after."""
    from genrescope.library.catalogue import Catalogue
    from genrescope.library.tags.apply import changes_of_run
    from genrescope.library.tags.plan import read_plan

    if what.isdigit():
        with Catalogue(catalogue_path) as catalogue:
            changes = changes_of_run(catalogue, int(what))
    else:
        changes = read_plan(what)
    path = None
    for change in changes:
        if change.path != path:
            path = change.path
            echo(printable(path), bold=True)
        for sign, colour, values in (("-", "red", change.before), ("+", "green", change.after)):
            for value in values:
                echo(f"  {sign} {change.field}: {value}", fg=colour)


@tags.command()
@catalogue_option
def runs(catalogue_path: Path | None) -> None:
    """List the runs that wrote tags."""
    from genrescope.library.catalogue import Catalogue
    from genrescope.library.tags.apply import list_runs

    with Catalogue(catalogue_path) as catalogue:
        found = list_runs(catalogue)
    for run in found:
        when = datetime.datetime.fromtimestamp(run.began).isoformat(" ", "minutes")
        what = "apply" if run.undoes is None else f"undo {run.undoes}"
        echo(f"{run.number:>4}  {when}  {what:<8}  {run.files} files")


def _progress(changes: Iterable[Change], write: bool) -> AbstractContextManager[Bar]:
    from genrescope.cli.progress import bar

    return bar(total=len({change.path for change in changes}) if write else 0)


def _print(report: Report, write: bool) -> None:
    from genrescope.cli.output import complain

    for conflict in report.conflicts:
        complain(conflict)
    if report.run is not None:
        echo(f"run {report.run}: {len(report.written)} files written")
    elif write:
        echo("nothing to write")
    else:
        echo(f"{len(report.written)} files would be written; add --write to do it")
    if report.conflicts:
        raise Exit(1)
