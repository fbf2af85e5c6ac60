from __future__ import annotations

import asyncio

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from genrescope.web import problems
from genrescope.web.middleware.failures import Failures


def sent_after(error: Exception, *, begun: bool) -> list[Message]:
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Failures(app)({"type": "http"}, receive, send))
    return sent


@pytest.mark.parametrize(
    ("error", "status"),
    [(problems.busy(), 503), (RuntimeError("the secret"), 500), (ClientDisconnect(), None)],
)
def test_each_failure_has_its_answer(error: Exception, status: int | None) -> None:
    sent = sent_after(error, begun=False)
    assert [message["status"] for message in sent[:1]] == ([status] if status else [])
    assert "secret" not in str(sent)


@pytest.mark.parametrize("error", [problems.busy(), RuntimeError("the secret")])
def test_an_answer_that_has_begun_is_not_begun_again(error: Exception) -> None:
    assert [message["type"] for message in sent_after(error, begun=True)] == ["http.response.start"]
