from __future__ import annotations

import asyncio

from starlette.types import Message, Receive, Scope, Send

from genrescope.web.limits import Limits
from genrescope.web.middleware.linger import Linger

LIMITS = Limits(linger_bytes=4_000)
ANSWER: tuple[Message, ...] = (
    {"type": "http.response.start", "status": 413, "headers": []},
    {"type": "http.response.body", "body": b"too much"},
)


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    for message in ANSWER:
        await send(message)


def exchange(body: list[Message], headers: dict[bytes, bytes]) -> tuple[int, list[Message]]:
    """How many messages of the body were taken, and what was answered."""
    taken, sent = 0, list[Message]()

    async def receive() -> Message:
        nonlocal taken
        taken += 1
        return body[taken - 1]

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "headers": list(headers.items())}
    asyncio.run(Linger(refuse, limits=LIMITS)(scope, receive, send))
    return taken, sent


def part(size: int, *, more: bool) -> Message:
    return {"type": "http.request", "body": bytes(size), "more_body": more}


def test_the_rest_of_a_refused_upload_is_taken_before_the_answer_ends() -> None:
    body = [part(10, more=True), part(10, more=True), part(10, more=False)]
    taken, sent = exchange(body, {b"content-length": b"30"})
    assert taken == 3
    assert [message.get("more_body", False) for message in sent] == [False, True, False]
    assert b"".join(message.get("body", b"") for message in sent) == b"too much"


def test_a_client_without_a_body_or_one_that_waits_is_answered_at_once() -> None:
    for headers in (
        {},
        {b"content-length": b"0"},
        {b"content-length": b"30", b"expect": b"100-continue"},
    ):
        taken, sent = exchange([], headers)
        assert (taken, tuple(sent)) == (0, ANSWER)


def test_a_client_that_sends_without_end_is_cut_off() -> None:
    endless = [part(LIMITS.linger_bytes // 4, more=True)] * 9
    taken, _ = exchange(endless, {b"transfer-encoding": b"chunked"})
    assert taken == 4


def test_a_client_that_stalls_is_cut_off() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(3_600)
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    async def scene() -> None:
        linger = Linger(refuse, limits=Limits(linger_s=0.05))
        async with asyncio.timeout(60):
            await linger({"type": "http", "headers": [(b"content-length", b"9")]}, receive, send)

    asyncio.run(scene())
    assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
