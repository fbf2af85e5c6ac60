from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from web.serving import MB, Running, StubEngine, music, serve, wav

from genrescope.web.app import create_app
from genrescope.web.engine import Engine
from genrescope.web.limits import Limits


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


@pytest.fixture(scope="session")
def small() -> Iterator[Running]:
    """A server that takes a megabyte, and waits a quarter of a second."""
    app = create_app(
        engine=StubEngine(),  # type: ignore[arg-type]
        limits=Limits(upload_bytes=MB, idle_s=0.25, upload_s=0.5),
    )
    with serve(app) as running:
        yield running


@pytest.fixture(scope="session")
def engine(tiny_bundle: Path) -> Iterator[Engine]:
    running = Engine.load(tiny_bundle, limits=Limits(workers=1))
    running.start()
    yield running
    running.close()
