"""What `info` tells of a bundle."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from genrescope import cli


def test_info_says_what_the_bundle_is(tiny_bundle: Path) -> None:
    result = CliRunner().invoke(cli.app, ["info", str(tiny_bundle)])
    assert result.exit_code == 0
    for words in ("tiny", "classical", "fault-filtered", "0.500", "0.200 to 0.800", "Apache-2.0"):
        assert words in result.stdout


def test_info_of_what_is_no_bundle(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.app, ["info", str(tmp_path / "absent")])
    assert result.exit_code == 1
    assert "absent: there is no such folder" in result.stderr.replace("\n", " ")


def test_info_as_json_is_bundle_json(tiny_bundle: Path) -> None:
    import json

    result = CliRunner().invoke(cli.app, ["info", str(tiny_bundle), "--json"])
    assert json.loads(result.stdout) == json.loads((tiny_bundle / "bundle.json").read_text())
