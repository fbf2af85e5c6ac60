"""One server's engine, pools, budget and counters, held together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from genrescope.model.isolation import OverAllowanceError
from genrescope.web import uploads
from genrescope.web.downloads import Download
from genrescope.web.engine import Engine
from genrescope.web.limits import Budget, Lease, Limits, Pool, SharedLease
from genrescope.web.metrics import Metrics
from genrescope.web.problems import ProblemError
from genrescope.web.uploads import Upload

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
log = logging.getLogger(__name__)


class ListeningTask(Protocol[T_co]):
    """Something to be done with a recording before a deadline, by `time.monotonic`; ``quick`` work
    raises OverAllowanceError where it takes more than others should wait for."""

    def __call__(self, upload: Upload, deadline: float, *, quick: bool) -> T_co: ...


class Service:
    """What the routes share. Short recordings, long ones with explanations, and polishing have
    workers of their own, so that a quick answer never waits for a slow one."""

    def __init__(self, engines: Mapping[str, Engine], limits: Limits) -> None:
        self.engines = engines
        self.engine = next(iter(engines.values()))
        self.limits = limits
        self.metrics = Metrics()
        self.listening = self._pool("listening", limits.workers)
        self.thorough = self._pool("thorough", limits.thorough)
        self.polishing = self._pool("polishing", limits.polishers)
        self._warming: asyncio.Future[None] | None = None
        self._budget = Budget(limits.room_bytes)
        self.metrics.gauge(
            "held_bytes", "Bytes of recordings and large answers held.", lambda: self._budget.held
        )

    def engine_of(self, bundle: str | None) -> Engine:
        """The engine of the bundle of that name, or the first. Raises ProblemError 422."""
        if bundle is None:
            return self.engine
        if bundle not in self.engines:
            raise ProblemError(
                422,
                "unknown_bundle",
                "This server has no bundle of that name.",
                remedy=f"It has: {', '.join(self.engines)}.",
            )
        return self.engines[bundle]

    def _pool(self, name: str, workers: int) -> Pool:
        pool = Pool(name, workers=workers, waiting=self.limits.waiting, work_s=self.limits.work_s)
        self.metrics.gauge(
            f"{name}_jobs", f"Jobs of {name}, running or waiting.", lambda: pool.jobs
        )
        return pool

    async def work(self, pool: Pool, request: Request, task: Callable[[Upload, float], T]) -> T:
        """Receives the request's recording and hands it, and a deadline, to a worker.

        A full queue refuses before the upload, not after it. The recording counts against the
        memory for as long as a worker holds it, though the client may have its answer before.
        """
        pool.check()
        lease = self.lease()
        try:
            upload = await uploads.receive(request, limits=self.limits, lease=lease)
        except BaseException:
            lease.release()
            raise
        return await pool.run(
            lambda deadline: task(upload, deadline), gone=lambda: left(request), ended=lease.release
        )

    async def listen(self, request: Request, task: ListeningTask[T]) -> T:
        """As `work`, for what is quick of most recordings: each is tried among the short ones,
        and what takes more than their allowance is done among the long ones."""
        self.listening.check()
        held = SharedLease(self.lease())
        try:
            upload = await uploads.receive(request, limits=self.limits, lease=held.lease)
            return await self.listen_to(request, upload, held, task)
        finally:
            held.let_go()

    async def listen_to(
        self, request: Request, upload: Upload, held: SharedLease, task: ListeningTask[T]
    ) -> T:
        """As `listen`, for a recording that was received, whose memory is ``held``."""
        until = self.listening.deadline()
        if len(upload.data) <= self.limits.quick_bytes:
            try:
                return await self.listening.run(
                    lambda deadline: task(upload, deadline, quick=True),
                    gone=lambda: left(request),
                    ended=held.also(),
                    deadline=until,
                )
            except OverAllowanceError:
                pass
        return await self.thorough.run(
            lambda deadline: task(upload, deadline, quick=False),
            gone=lambda: left(request),
            ended=held.also(),
            deadline=until,
        )

    def lease(self) -> Lease:
        """A share, empty at first, of the memory for recordings and large answers."""
        return self._budget.lease()

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
        for engine in self.engines.values():
            engine.start()
        self._warming = asyncio.ensure_future(self.polishing.run(self.engine.warm_up))
        self._warming.add_done_callback(_log_failure)

    def close(self) -> None:
        """Ends what still runs: whoever waited for it has been given up."""
        for engine in self.engines.values():
            engine.close()
        for pool in (self.listening, self.thorough, self.polishing):
            pool.close()


async def left(request: Request) -> None:
    """Ends when the client has hung up; the request's body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _log_failure(warming: asyncio.Future[None]) -> None:
    if not warming.cancelled() and (error := warming.exception()) is not None:
        log.error("warming up failed, and so may every request", exc_info=error)
