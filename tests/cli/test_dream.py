"""The verb `dream`: a file of sound, and what it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile
from cli_makers import invoke


@pytest.mark.slow
def test_it_writes_twenty_seconds_of_stereo(tiny_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.wav"
    options = ("--bundle", tiny_bundle, "--steps", 2, "--seed", 1)
    result = invoke("dream", "rock", "--out", out, *map(str, options))
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"{out}: rock ")
    info = soundfile.info(out)
    assert (info.duration, info.channels) == (20.0, 2)


@pytest.mark.slow
def test_the_song_is_told_as_json(tiny_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.wav"
    result = invoke(
        "dream", "jazz", "--out", out, "--bundle", tiny_bundle, "--steps", "1", "--json"
    )
    told = json.loads(result.stdout)
    assert told["genre"] == "jazz"
    assert 0 <= told["probability"] <= 1
    assert 60 <= told["song"]["tempo"] <= 180
    assert told["path"] == str(out)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("polka",), "there is no genre 'polka'"),
        (("jazz", "--steps", "0"), "steps"),
        ((), "GENRE"),
    ],
)
def test_a_wrong_command_is_told(
    options: tuple[str, ...], words: str, tiny_bundle: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a.wav"
    result = invoke("dream", *options, "--out", out, "--bundle", tiny_bundle)
    assert result.exit_code == 2
    assert words in result.stderr
    assert not out.exists()


@pytest.mark.slow
def test_a_folder_that_is_not_there_is_told(tiny_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "none" / "a.wav"
    result = invoke("dream", "jazz", "--out", out, "--bundle", tiny_bundle, "--steps", "1")
    assert result.exit_code == 1
    assert "genrescope: " in result.stderr
