"""What tests of the command line share."""

from __future__ import annotations

import io
import sys

import pytest


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
