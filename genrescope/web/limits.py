"""What one server takes on at once: bounded work, bounded waiting, bounded memory."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect

from genrescope.audio.mixing import MAX_STEREO_SR
from genrescope.web import problems

T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """The bounds of one server.

    Attributes:
        upload_bytes: the most one recording may weigh.
        held_bytes: the most all recordings being received or waiting, and all polished ones being
            sent, may weigh together.
        audio_s: the most seconds of audio one recording may hold.
        workers: classifications at once; one or two recordings are polished beside them.
        waiting: how many may wait for each kind of worker before 503.
        work_s: time limit of one classification or polishing, waiting included.
        upload_s: time limit of receiving one upload, and of sending one polished recording.
        idle_s: how long a client may send nothing, or read nothing, in the middle of one.
    """

    upload_bytes: int = 50 * 2**20
    held_bytes: int = 400 * 2**20
    audio_s: float = 900.0
    workers: int = 2
    waiting: int = 32
    work_s: float = 60.0
    upload_s: float = 300.0
    idle_s: float = 20.0

    def with_room_for(self, upload_bytes: int, audio_s: float) -> Limits:
        """The same, with room to hold two of the largest uploads or of the longest polished ones.

        Else one alone would be told that the server is busy, and would be as often as it asks.
        """
        wav_bytes = int(audio_s * MAX_STEREO_SR * 2 * 2)
        held = max(self.held_bytes, 2 * upload_bytes, 2 * wav_bytes)
        return replace(self, held_bytes=held)


class Pool:
    """Worker threads with a bounded queue.

    Decoding and the net release the interpreter's lock, so threads use all cores. A thread cannot
    be stopped from outside: work past its time limit keeps its place until it ends, and is counted.
    """

    def __init__(self, name: str, *, workers: int, waiting: int, work_s: float) -> None:
        self.name = name
        self._capacity = workers + waiting
        self._work_s = work_s
        self._jobs = 0
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix=f"genrescope-{name}")

    @property
    def jobs(self) -> int:
        """Running and waiting together."""
        return self._jobs

    def check(self) -> None:
        """Raises ProblemError 503 while there is no place in the queue."""
        if self._jobs >= self._capacity:
            raise problems.busy()

    async def run(
        self, task: Callable[[], T], *, gone: Callable[[], Awaitable[None]] | None = None
    ) -> T:
        """Runs ``task`` in a worker thread.

        Args:
            task: what to do.
            gone: ends when nobody waits for the answer any more; work not begun is dropped.

        Raises:
            ProblemError: 503 when the queue is full, 504 past the time limit.
            ClientDisconnect: ``gone`` ended first.
        """
        with self._lock:
            self.check()
            self._jobs += 1
        # A job given up stays in the executor's queue: what it would have worked on need not.
        to_do = [task]
        job = self._threads.submit(lambda: to_do.pop()())
        job.add_done_callback(self._leave)
        answer = asyncio.wrap_future(job)
        leaving = asyncio.ensure_future(gone()) if gone is not None else None
        waited_for: set[asyncio.Future[Any]] = {answer} | ({leaving} if leaving else set())
        try:
            await asyncio.wait(
                waited_for, timeout=self._work_s, return_when=asyncio.FIRST_COMPLETED
            )
            if answer.done():
                return answer.result()
            if leaving is not None and leaving.done():
                raise ClientDisconnect
            raise problems.timed_out(self._work_s)
        finally:
            answer.cancel()
            if job.cancel():
                to_do.clear()
            if leaving is not None:
                leaving.cancel()

    def _leave(self, _: Future[T]) -> None:
        with self._lock:
            self._jobs -= 1

    def close(self) -> None:
        """Lets what runs finish, drops what waits."""
        self._threads.shutdown(wait=True, cancel_futures=True)


class Budget:
    """Bytes of uploads held in memory by all requests together (used by the event loop alone)."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0

    @contextmanager
    def lease(self) -> Iterator[Callable[[int], None]]:
        """A function that takes more bytes, or raises ProblemError 503; the exit gives all back."""
        taken = 0

        def take(n_bytes: int) -> None:
            nonlocal taken
            if self.held + n_bytes > self.limit:
                raise problems.busy(5)
            self.held += n_bytes
            taken += n_bytes

        try:
            yield take
        finally:
            self.held -= taken
