from __future__ import annotations

import asyncio

import httpx
import pytest
from web.serving import StubEngine

from genrescope.web.app import create_app

FRIEND = "https://friend.example"


def ask(
    method: str,
    headers: dict[str, str],
    *,
    path: str = "/api/v1/classify",
    allowed: tuple[str, ...],
) -> httpx.Response:
    app = create_app(
        engine=StubEngine(),  # type: ignore[arg-type]
        allowed_hosts=["music.example.org"],
        allowed_origins=allowed,
    )

    async def exchange() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        base = "http://music.example.org"
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            files = {"file": ("a.wav", b"abc")} if method == "POST" else None
            return await client.request(method, path, headers=headers, files=files)

    return asyncio.run(exchange())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://rewritten.example"}, 200),
        ({"Sec-Fetch-Site": "same-site", "Origin": "https://evil.example.org"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://music.example.org"}, 200),
        ({"Origin": "http://MUSIC.example.org"}, 200),
        ({"Origin": "https://music.example.org.evil.example"}, 403),
        ({"Origin": "https://music.example.org:8443"}, 403),
        ({"Origin": FRIEND}, 403),
    ],
)
def test_only_our_own_page_and_programs_may_post(headers: dict[str, str], status: int) -> None:
    answer = ask("POST", headers, allowed=())
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["error"]["code"] == "cross_site"
    assert "access-control-allow-origin" not in answer.headers


def test_looking_is_free_to_all() -> None:
    assert ask("GET", {"Origin": "https://evil.example"}, path="/", allowed=()).status_code == 200


def test_an_allowed_site_may_ask_send_and_read() -> None:
    asks = {"Origin": FRIEND, "Access-Control-Request-Method": "POST"}
    allowed = (f"{FRIEND}/",)
    preflight = ask("OPTIONS", asks, allowed=allowed)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-methods"] == "GET, HEAD, POST"
    sent = ask("POST", {"Origin": FRIEND, "Sec-Fetch-Site": "cross-site"}, allowed=allowed)
    for answer in (preflight, sent):
        assert answer.headers["access-control-allow-origin"] == FRIEND
        assert "Origin" in answer.headers["vary"]
    assert sent.status_code == 200


def test_nobody_else_is_let_in_with_it() -> None:
    answer = ask("POST", {"Origin": "https://friend.example.evil.org"}, allowed=(FRIEND,))
    assert answer.status_code == 403
    asks = {"Origin": "https://evil.org", "Access-Control-Request-Method": "POST"}
    preflight = ask("OPTIONS", asks, allowed=(FRIEND,))
    assert preflight.status_code == 405
    assert "access-control-allow-origin" not in preflight.headers
