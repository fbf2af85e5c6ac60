"""One server's engine, pools, budget and counters, held together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from genrescope.web import uploads
from genrescope.web.downloads import Download
from genrescope.web.engine import Engine
from genrescope.web.limits import Budget, Limits, Pool
from genrescope.web.metrics import Metrics
from genrescope.web.uploads import Upload

T = TypeVar("T")
log = logging.getLogger(__name__)


class Service:
    """What the routes share. Listening and polishing have workers of their own, so that a
    quick answer never waits for a slow one."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self.engine = engine
        self.limits = limits
        self.metrics = Metrics()
        self.listening = self._pool("listening", limits.workers)
        # A quarter of an hour in stereo takes 2 GB to polish, so never more than two at once.
        self.polishing = self._pool("polishing", min(2, max(1, limits.workers // 2)))
        self._warming: asyncio.Future[None] | None = None
        self._budget = Budget(limits.held_bytes)
        self.metrics.gauge(
            "held_bytes", "Bytes of recordings and large answers held.", lambda: self._budget.held
        )

    def _pool(self, name: str, workers: int) -> Pool:
        pool = Pool(name, workers=workers, waiting=self.limits.waiting, work_s=self.limits.work_s)
        self.metrics.gauge(
            f"{name}_jobs", f"Jobs of {name}, running or waiting.", lambda: pool.jobs
        )
        return pool

    @asynccontextmanager
    async def recording(self, request: Request) -> AsyncIterator[Upload]:
        """The request's recording, within this server's limits."""
        async with uploads.receive(request, limits=self.limits, budget=self._budget) as upload:
            yield upload

    async def work(self, pool: Pool, request: Request, task: Callable[[Upload], T]) -> T:
        """Receives the request's recording and hands it to a worker.

        A full queue refuses before the upload, not after it.
        """
        pool.check()
        async with self.recording(request) as upload:
            return await pool.run(lambda: task(upload), gone=lambda: _left(request))

    def download(self, content: bytes, *, media_type: str, headers: Mapping[str, str]) -> Response:
        """A large answer, within the same memory as the recordings."""
        return Download(
            content,
            media_type=media_type,
            headers=headers,
            limits=self.limits,
            budget=self._budget,
        )

    def start(self) -> None:
        """Warms up beside the first requests. Needs a running event loop."""
        self._warming = asyncio.ensure_future(self.polishing.run(self.engine.warm_up))
        self._warming.add_done_callback(_say_failure)

    def close(self) -> None:
        """Lets what runs finish."""
        self.listening.close()
        self.polishing.close()


async def _left(request: Request) -> None:
    """Ends when the client has hung up; the request's body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _say_failure(warming: asyncio.Future[None]) -> None:
    if not warming.cancelled() and (error := warming.exception()) is not None:
        log.error("warming up failed, and so may every request", exc_info=error)
