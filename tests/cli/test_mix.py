"""The verb `mix`."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_makers import invoke
from click_makers import click_file


@pytest.mark.slow
def test_it_says_in_which_order_and_how(tiny_bundle: Path, tmp_path: Path) -> None:
    paths = [click_file(tmp_path / f"{bpm}.wav", 15, bpm) for bpm in (120, 124)]
    out = tmp_path / "mix.wav"
    result = invoke("mix", *paths, "--out", out, "--bundle", tiny_bundle)
    assert result.exit_code == 0, result.output
    first, second, last = result.stdout.splitlines()
    assert first.startswith("0:00  ")
    assert " beats, 3." in second
    assert str(out.with_suffix(".cue")) in last
    assert out.exists()


@pytest.mark.slow
def test_wrong_commands_are_told(tiny_bundle: Path, tmp_path: Path) -> None:
    path = click_file(tmp_path / "a.wav", 13, 120)
    for options, code, words in (
        ((path,), 2, "two recordings"),
        ((path, path, "--out", tmp_path / "a.cue"), 2, "another"),
        ((path, tmp_path / "none.wav"), 1, "none.wav"),
    ):
        result = invoke("mix", *options, "--bundle", tiny_bundle)
        assert result.exit_code == code
        assert words in result.stderr
