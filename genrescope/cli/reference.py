"""The help of every verb as one document: ``python -m genrescope.cli.reference > docs/cli.md``."""

from __future__ import annotations

from collections.abc import Iterator

import click

from genrescope.cli import app

_COLUMNS = 96
_HEAD = """\
# The command line

What `genrescope VERB --help` prints, for every verb. This page is generated; after a change, run
`python -m genrescope.cli.reference > docs/cli.md`.
"""


def reference() -> str:
    """All help pages as Markdown, in the order in which the verbs are listed."""
    pages = [f"\n## {name}\n\n```\n{page}\n```\n" for name, page in _pages(app, "genrescope")]
    return "".join([_HEAD, *pages])


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """A command and all below it, each by its full name."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name)
        for verb in command.list_commands(context):
            below = command.get_command(context, verb)
            assert below is not None
            yield from commands(below, f"{name} {verb}")


def _pages(command: click.Command, name: str) -> Iterator[tuple[str, str]]:
    for full_name, below in commands(command, name):
        context = click.Context(
            below,
            info_name=full_name,
            terminal_width=_COLUMNS,
            show_default=True,
            help_option_names=["-h", "--help"],
        )
        yield full_name, below.get_help(context)


if __name__ == "__main__":
    print(reference(), end="")
