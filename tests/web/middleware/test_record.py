from __future__ import annotations

import asyncio
import json
import logging

import httpx
import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from genrescope.web.metrics import Metrics
from genrescope.web.middleware.record import Record


async def answers(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def leaves(scope: Scope, receive: Receive, send: Send) -> None:
    raise ClientDisconnect


def exchange(app: object, metrics: Metrics) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"abc"}

    async def send(message: Message) -> None:
        assert metrics.in_flight == 1
        sent.append(message)

    scope = {"type": "http", "method": "BREW", "path": "/pot", "headers": []}
    asyncio.run(Record(app, metrics=metrics)(scope, receive, send))  # type: ignore[arg-type]
    return sent


def test_an_exchange_is_measured_and_named(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    with caplog.at_level(logging.INFO, "genrescope.web"):
        sent = exchange(answers, metrics)
    entry = json.loads(caplog.messages[-1])
    name = entry["request"].encode()
    assert (b"x-request-id", name) in sent[0]["headers"]
    assert (entry["method"], entry["route"], entry["status"]) == ("other", "other", 200)
    assert (entry["received"], entry["sent"]) == (3, 5)
    assert (metrics.in_flight, metrics.received_bytes) == (0, 3)


def test_a_client_that_left_is_recorded_as_such() -> None:
    metrics = Metrics()
    with pytest.raises(ClientDisconnect):
        exchange(leaves, metrics)
    assert 'status="499"} 1' in metrics.text()
    assert metrics.in_flight == 0


def test_the_log_leaves_recordings_and_their_names_out(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "genrescope.web"):
        client.post("/api/v1/classify?tell=me", files={"file": ("my-secret-song.wav", b"words")})
        client.get("/api/v1/healthz")  # by its answer, the entry before it is written
    entries = [json.loads(r.message) for r in caplog.records if r.name == "genrescope.web"]
    entry = next(entry for entry in entries if entry["route"] == "/api/v1/classify")
    assert entry["status"] == 422
    assert entry["received"] > 0
    assert "secret" not in caplog.text
    assert "tell" not in caplog.text
