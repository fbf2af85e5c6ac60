"""The verb `explain`: in words, as JSON, as a picture and as sound."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile
from cli_makers import SR, invoke, tone


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tone(tmp_path_factory.mktemp("music") / "a.wav", "jazz", seconds=4)


@pytest.mark.slow
def test_it_tells_what_decided_and_how_true_that_is(recording: Path, tiny_bundle: Path) -> None:
    result = invoke("explain", recording, "--bundle", tiny_bundle)
    assert result.exit_code == 0, result.output
    first, deletion, insertion = result.stdout.splitlines()
    assert first.startswith(f"{recording}: jazz, ")
    assert "lower is truer" in deletion
    assert "higher is truer" in insertion


@pytest.mark.slow
def test_another_genre_is_explained_and_everything_written(
    recording: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "folder"
    options = ("--bundle", tiny_bundle, "--genre", "rock", "--out", out, "--json")
    result = invoke("explain", recording, *options)
    assert result.exit_code == 0, result.output
    explanation = json.loads(result.stdout)
    assert explanation["genre"] == "rock"
    assert json.loads((out / "explanation.json").read_text(encoding="utf-8")) == explanation
    assert (out / "overlay.png").read_bytes().startswith(b"\x89PNG")
    sounds = sorted(path for path in out.iterdir() if path.suffix == ".wav")
    assert len(sounds) == 3
    for path in sounds:
        assert soundfile.info(path).samplerate == SR


def test_a_genre_that_the_bundle_does_not_know_is_a_wrong_command(
    recording: Path, tiny_bundle: Path
) -> None:
    result = invoke("explain", recording, "--bundle", tiny_bundle, "--genre", "polka")
    assert result.exit_code == 2
    assert "there is no genre 'polka'" in result.stderr
