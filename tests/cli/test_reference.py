"""Every verb and option is documented, in its help and in docs/cli.md."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from genrescope.cli import app
from genrescope.cli.reference import commands, reference

EVERY = dict(commands(app, "genrescope"))


def test_the_page_is_what_the_verbs_say() -> None:
    page = Path(__file__).parents[2] / "docs" / "cli.md"
    assert page.read_text(encoding="utf-8") == reference(), (
        "run: python -m genrescope.cli.reference > docs/cli.md"
    )


@pytest.mark.parametrize("name", EVERY)
def test_every_verb_and_option_is_explained(name: str) -> None:
    command = EVERY[name]
    assert command.help
    assert command.help.split("\n\n")[0].endswith(".")
    for param in command.params:
        if isinstance(param, click.Option):
            assert param.help, param.name
            assert param.help.endswith("."), param.name
            is_plain = param.is_flag or param.metavar or isinstance(param.type, click.Choice)
            assert is_plain, param.name
