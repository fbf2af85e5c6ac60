"""Who tells of progress, and who does not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import genrescope
from genrescope.progress import Progress, no_progress


def test_nobody_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    tell: Progress = no_progress
    tell(1, None, "a.mp3")
    tell(0.5, 2.0, "polishing")
    assert capfd.readouterr() == ("", "")


def test_no_room_has_a_progress_of_its_own() -> None:
    """What counts differs from function to function; how it is told does not."""
    counted = re.compile(r"^\w*Progress\b.*=|progress: Callable\[\[(int|float)\b", re.M)
    files = Path(genrescope.__file__).parent.rglob("*.py")
    telling = [path.name for path in files if counted.search(path.read_text(encoding="utf-8"))]
    assert telling == ["progress.py"]
