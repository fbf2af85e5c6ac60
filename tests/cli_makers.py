"""What tests of the command line share."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from bundle_maker import make_bundle, tiny_catalogue, tiny_onnx
from click.testing import CliRunner, Result
from lab_makers import GENRES

from genrescope.cli import app
from genrescope.model.bundle import Bundle

SR = 22_050
TONES_HZ = {"blues": 100, "jazz": 2200, "rock": 9500}


class Terminal(io.StringIO):
    """Stands for a terminal, and keeps what it was sent."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def make_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Put both standard output and standard error on one terminal of 80 columns.

    To be called by a test itself: a fixture comes before pytest puts its own streams there.
    """
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return screen


def tone(path: Path, genre: str = "jazz", *, seconds: float = 0.5) -> Path:
    """A file of what the bundle for tests calls that genre."""
    t = np.arange(round(seconds * SR)) / SR
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * TONES_HZ[genre] * t), SR)
    return path


def classify(*arguments: str | Path, bundle: Path) -> Result:
    """Run ``genrescope classify`` in this process."""
    return CliRunner().invoke(app, ["classify", "--bundle", str(bundle), *map(str, arguments)])


def records(path: Path) -> list[dict[str, Any]]:
    """The answers in a file of JSON lines or CSV."""
    if path.suffix.lower() == ".csv":
        with path.open(newline="") as file:
            return list(csv.DictReader(file))
    return [json.loads(line) for line in path.read_text().splitlines()]


def lines(result: Result) -> list[dict[str, Any]]:
    """The answers that were printed as JSON lines."""
    return [json.loads(line) for line in result.stdout.splitlines()]


class Shell:
    """Runs verbs of ``genrescope library`` on one catalogue and the tiny bundle."""

    def __init__(self, folder: Path, bundle: Path) -> None:
        self.catalogue = folder / "library.db"
        self._bundle = bundle

    def __call__(self, *arguments: object, ask: bool = True, code: int = 0) -> Result:
        options = ["--catalogue", str(self.catalogue)]
        if ask:
            options += ["--bundle", str(self._bundle)]
        words = ["library", *map(str, arguments)]
        split = words.index("--") if "--" in words else len(words)
        result = CliRunner().invoke(app, [*words[:split], *options, *words[split:]])
        assert result.exit_code == code, (result.output, result.exception)
        return result


def genre_bundle(folder: Path, *, tracks: list[str], artists: list[str] | None = None) -> Bundle:
    """A bundle that calls the lowest bands fado and the highest tango."""
    return make_bundle(
        folder,
        onnx_bytes=tiny_onnx(n_classes=3),
        labels=GENRES,
        training={"tracks": tracks},
        catalogue=tiny_catalogue(track=tracks, artist=artists) if artists else None,
    )


def invoke(verb: str, *arguments: object) -> Result:
    return CliRunner().invoke(app, [verb, *map(str, arguments)])
