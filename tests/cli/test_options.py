"""Options: what is no number or no choice is a wrong command."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from genrescope import cli


@pytest.mark.parametrize("arguments", [[], ["frobnicate"], ["classify"], ["classify", "--nope"]])
def test_a_wrong_command_exits_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(cli.app, arguments).exit_code == 2


@pytest.mark.parametrize("value", ["nan", "inf"])
@pytest.mark.parametrize(
    ("verb", "option"),
    [
        ("evaluate", "--window"),
        ("export", "--window"),
        ("reproduce", "--budget"),
        ("reproduce", "--effort"),
        ("serve", "--max-upload-mb"),
        ("serve", "--max-audio-minutes"),
    ],
)
def test_what_is_no_number_is_a_wrong_command(verb: str, option: str, value: str) -> None:
    result = CliRunner().invoke(cli.app, [verb, option, value])
    assert result.exit_code == 2
    assert f"Invalid value for '{option}'" in result.stderr
