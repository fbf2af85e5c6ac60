"""Fixtures of the tests of collections."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from genrescope.library.catalogue import Catalogue


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    """An empty catalogue, in a folder of its own."""
    with Catalogue(tmp_path / "catalogue" / "library.db") as opened:
        yield opened


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """An empty folder for music."""
    folder = tmp_path / "music"
    folder.mkdir()
    return folder
