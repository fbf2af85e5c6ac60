"""Answers on their way to clients that do not read them."""

from __future__ import annotations

import asyncio
import math
import socket
import time
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from web.serving import MB, StubEngine, form, head, metrics, serve

from genrescope.web.app import create_app
from genrescope.web.downloads import PIECE
from genrescope.web.limits import Limits
from genrescope.web.polishing import PolishedSound
from genrescope.web.uploads import Upload


class PolishingStub(StubEngine):
    """Answers with twenty megabytes."""

    def polish(self, upload: Upload, form: str, *, deadline: float = math.inf) -> PolishedSound:
        return PolishedSound(bytes(20 * MB), "audio/wav", -20.0, -14.0, -1.0)


@pytest.mark.slow
def test_a_client_that_does_not_read_its_answer_holds_nothing_for_long() -> None:
    app = create_app(
        engine=PolishingStub(),  # type: ignore[arg-type]
        limits=Limits(idle_s=0.25, held_bytes=50 * MB),
    )
    with serve(app) as running, socket.socket() as idler:
        idler.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        idler.connect(("127.0.0.1", running.port))
        body = form(b"abc")
        idler.sendall(head(running.port, length=len(body), path="/api/v1/polish") + body)
        assert idler.recv(12) == b"HTTP/1.1 200"
        while "genrescope_held_bytes 0\n" not in (text := metrics(running)):
            assert "genrescope_held_bytes 2.09715e+07\n" in text
        assert "genrescope_in_flight 1\n" in text


def test_a_file_of_the_page_is_sent_in_pieces() -> None:
    app = create_app(engine=StubEngine())  # type: ignore[arg-type]
    sent: list[bytes] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message.get("body", b""))

    scope = {
        **{"type": "http", "method": "GET", "path": "/static/samples/metal.ogg"},
        **{"query_string": b"", "headers": [(b"host", b"localhost")]},
    }
    asyncio.run(app(scope, receive, send))
    assert sum(map(len, sent)) > 2 * PIECE
    assert max(map(len, sent)) == PIECE


@pytest.mark.slow
def test_a_client_that_reads_no_file_of_the_page_is_let_go() -> None:
    app = create_app(engine=StubEngine(), limits=Limits(idle_s=0.25))  # type: ignore[arg-type]
    with serve(app) as running, ExitStack() as stack:
        ask = b"GET /static/samples/metal.ogg HTTP/1.1\r\nHost: localhost\r\n\r\n"
        for _ in range(20):
            idler = stack.enter_context(socket.socket())
            idler.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            idler.connect(("127.0.0.1", running.port))
            idler.sendall(ask * 16)  # more than the system's own buffers hold
        while "genrescope_in_flight 1\n" not in metrics(running):
            time.sleep(0.05)


@pytest.mark.slow
def test_answers_count_against_the_memory_too() -> None:
    app = create_app(
        engine=PolishingStub(),  # type: ignore[arg-type]
        limits=Limits(held_bytes=10 * MB),
    )
    with serve(app) as running:
        files = {"file": ("a.wav", b"abc")}
        answer = httpx.post(f"{running.url}/api/v1/polish", files=files)
        assert answer.status_code == 503
        assert "genrescope_held_bytes 0\n" in metrics(running)
