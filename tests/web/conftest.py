from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from web.serving import Running, music, serve, wav

from genrescope.web.app import create_app


@pytest.fixture(scope="session")
def server(tiny_bundle: Path) -> Iterator[Running]:
    with serve(create_app(bundle=tiny_bundle)) as running:
        yield running


@pytest.fixture
def client(server: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def song() -> bytes:
    """Six seconds of music as a wav file."""
    return wav(music(6))
