"""What a busy server holds on to."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest
from starlette.requests import ClientDisconnect

from genrescope.web import limits
from genrescope.web.limits import Budget, Pool


class Upload:
    def work(self, deadline: float) -> str:
        return "jazz"


@pytest.mark.slow
def test_an_upload_given_up_while_it_waits_is_let_go() -> None:
    pool = Pool("test", workers=1, waiting=2, work_s=60)
    begun, done = threading.Event(), threading.Event()

    def work(deadline: float) -> str:
        begun.set()
        done.wait(60)
        return "rock"

    async def hang_up() -> None:
        pass

    async def scene() -> list[weakref.ref[Upload]]:
        first = asyncio.create_task(pool.run(work))
        await asyncio.to_thread(begun.wait)
        left = []
        for _ in range(5):
            upload = Upload()
            left.append(weakref.ref(upload))
            with pytest.raises(ClientDisconnect):
                await pool.run(upload.work, gone=hang_up)
            del upload
        gc.collect()
        assert pool.jobs == 1
        held = [ref for ref in left if ref() is not None]
        done.set()
        assert await first == "rock"
        assert await pool.run(Upload().work) == "jazz"
        return held

    try:
        assert asyncio.run(scene()) == []
    finally:
        done.set()
        pool.close()
    assert pool.jobs == 0


def test_the_slowest_upload_is_given_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_YOUNG_S", -1.0)
    budget = Budget(100)
    slow, fast = budget.lease(), budget.lease()
    given_up: list[str] = []
    with (
        slow.arriving(lambda: given_up.append("slow")),
        fast.arriving(lambda: given_up.append("fast")),
    ):
        slow.take(1)
        fast.take(90)
        budget.give_up_slowest()
        assert given_up == ["slow"]  # which takes until its client notices
        budget.give_up_slowest()
        assert given_up == ["slow", "fast"]
        budget.give_up_slowest()
    assert given_up == ["slow", "fast"]
