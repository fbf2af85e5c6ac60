from __future__ import annotations

import asyncio

import httpx
import pytest
from web.serving import StubEngine

from genrescope.web.app import create_app


@pytest.mark.slow
@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("localhost", True),
        ("LOCALHOST:8000", True),
        ("127.0.0.1:1", True),
        ("[::1]:8000", True),
        ("[::1]", True),
        ("music.example.org", True),
        ("a.example.net", True),
        ("example.net", False),
        ("evil.org", False),
        ("localhost.evil.org", False),
        ("evilexample.net", False),
        ("", False),
    ],
)
def test_host_check(host: str, known: bool) -> None:
    app = create_app(
        engine=StubEngine(),  # type: ignore[arg-type]
        allowed_hosts=["localhost", "127.0.0.1", "[::1]", "music.example.org", "*.example.net"],
    )

    async def ask() -> int:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            probes = [
                await client.request(method, path, headers={"Host": host})
                for path in ("/api/v1/healthz", "/metrics")
                for method in (("GET", "HEAD") if "healthz" in path else ("GET",))
            ]
            assert {probe.status_code for probe in probes} == {200}  # of whatever host
            return (await client.get("/api/v1/bundle", headers={"Host": host})).status_code

    assert (asyncio.run(ask()) == 200) is known


def test_of_two_hosts_none_is_believed() -> None:
    app = create_app(engine=StubEngine())  # type: ignore[arg-type]

    async def ask() -> int:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            headers = [("Host", "localhost"), ("Host", "evil.org")]
            return (await client.get("/api/v1/bundle", headers=headers)).status_code

    assert asyncio.run(ask()) == 400
