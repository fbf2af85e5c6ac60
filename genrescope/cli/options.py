"""Groups of verbs, kinds of values, and options that several verbs take alike."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from genrescope.files import printable

F = TypeVar("F", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)
"""A file or folder that need not exist."""


class Number(click.FloatRange):
    """A finite number within bounds."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


class Group(click.Group):
    """Verbs, each listed with the whole first paragraph of its help."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        verbs = self.list_commands(ctx)
        if args[0] not in verbs and not ctx.resilient_parsing:
            from difflib import get_close_matches

            close = get_close_matches(args[0].lower(), verbs, n=1)
            advice = f"did you mean {close[0]}?" if close else f"there are {', '.join(verbs)}"
            ctx.fail(f"there is no verb {args[0]!r}; {advice}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = []
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            assert command is not None
            rows.append((name, (command.help or "").split("\n\n")[0].replace("\n", " ")))
        with formatter.section("Verbs"):
            formatter.write_dl(rows)


def bundle_option(purpose: str = "The model to use", *, name: str = "bundle") -> Callable[[F], F]:
    """``--bundle``, as the argument ``name``, or None."""
    return click.option(
        "--bundle",
        name,
        type=PATH,
        metavar="BUNDLE",
        help=f"{purpose}: a folder, or the name of one that ships; `default` if absent.",
    )


run_folder_option = click.option(
    "--out",
    type=PATH,
    required=True,
    metavar="FOLDER",
    help="The run's folder, made here.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")

clips_at_a_time_option = click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Clips decoded at once; as many as there are cores if absent.",
)

training_seed_option = click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Seed of every random step of the training.",
)

window_option = click.option(
    "--window",
    type=Number(0.1, 600),
    metavar="SECONDS",
    help="Length of the windows that clips are cut into; as in training if absent.",
)


def several_data_option(metavar: str, help: str) -> Callable[[F], F]:
    """``--data``, which may be given several times."""
    return click.option(
        "--data", type=PATH, multiple=True, required=True, metavar=metavar, help=help
    )


def split_option(if_absent: str) -> Callable[[F], F]:
    """``--split``; the help ends with what happens without it."""
    return click.option(
        "--split",
        metavar="SPLIT",
        callback=_known_split,
        help="windows (leaky), tracks, artists, world, fault-filtered, or all, which holds "
        f"nothing back. If absent: {if_absent}",
    )


def typed() -> str:
    """The command as the user typed it, for the records of what it makes."""
    import shlex

    return printable(shlex.join(["genrescope", *sys.argv[1:]]))


def _known_split(ctx: click.Context, param: click.Parameter, name: str | None) -> str | None:
    """The name as it is; BadParameter if there is no such split."""
    if name is not None:
        from genrescope.data.splits import SPLITS

        if name not in SPLITS:
            raise click.BadParameter(f"there is no split {name!r}; there are {', '.join(SPLITS)}")
    return name
