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
from click.testing import CliRunner, Result

from genrescope.cli import app

SR = 22_050


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


def tone(path: Path, *, hz: float = 2200, seconds: float = 0.5) -> Path:
    """Write a sine to a file, and return its path."""
    t = np.arange(round(seconds * SR)) / SR
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * hz * t), SR)
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
