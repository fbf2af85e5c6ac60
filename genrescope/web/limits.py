"""What one server takes on at once: bounded work, bounded waiting, bounded memory."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect

from genrescope.audio.mixing import MAX_STEREO_SR
from genrescope.model.isolation import Allowance
from genrescope.sandbox import JobTimeoutError
from genrescope.system import n_cores
from genrescope.web import problems

T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """Every bound of one server.

    Attributes:
        upload_bytes: the most one recording may weigh.
        held_bytes: the most all recordings being received, waiting or worked on, and all polished
            ones being sent, may weigh together; None for 400 MiB, or as much as two of the
            largest uploads or of the longest polished recordings need. With less, one alone
            would be told that the server is busy, and would be as often as it asks.
        memory_bytes: what the server and its processes may take together, such as a container
            gives; None for as much as the other limits lead to. With little, less is held at once,
            and long recordings are not polished.
        audio_s: the most seconds of audio one recording may hold.
        workers: short recordings that are classified at once; beside them, `thorough` long ones,
            and one or two that are polished.
        waiting: how many may wait for each kind of worker before 503.
        work_s: time limit of one classification or polishing, waiting included.
        quick_audio_s: the longest recording, in seconds of sound, that goes before long ones.
        quick_bytes: the most such a one may weigh.
        quick_processor_s: the most seconds of a processor that decoding such a one may take.
        upload_s: time limit of receiving one upload, and of sending one polished recording.
        idle_s: how long a client may send nothing, or read nothing, in the middle of one.
        upload_rate: the least bytes a second that an upload must bring, over each `idle_s`.
        form_bytes: the most bytes of a form beside its file: boundaries, part headers, fields.
        form_parts: the most parts of a form.
        small_pieces: the most pieces of a body, chunks for example, of less than 64 bytes.
        json_bytes: the most bytes of a JSON body.
        linger_s: how long the rest of a refused upload is taken in, so that its sender reads why.
        linger_bytes: the most bytes of it.
        connections: the most connections that may be open.
        header_s: how long a client may take to send the headers of a request.
        header_bytes: the most bytes of these headers.
        pipelined: the most requests that a connection may send ahead of their answers.
        keep_alive_s: how long a connection may be idle between two requests; above what proxies
            keep one for, or they use one that is closed.
    """

    upload_bytes: int = 50 * 2**20
    held_bytes: int | None = None
    memory_bytes: int | None = None
    audio_s: float = 900.0
    workers: int = field(default_factory=n_cores)
    waiting: int = 32
    work_s: float = 60.0
    quick_audio_s: float = 60.0
    quick_bytes: int = 16 * 2**20
    quick_processor_s: float = 0.2
    upload_s: float = 300.0
    idle_s: float = 20.0
    upload_rate: int = 4 * 2**10
    form_bytes: int = 64 * 2**10
    form_parts: int = 16
    small_pieces: int = 2_048
    json_bytes: int = 256 * 2**10
    linger_s: float = 5.0
    linger_bytes: int = 256 * 2**20
    connections: int = 1_000
    header_s: float = 10.0
    header_bytes: int = 32 * 2**10
    pipelined: int = 16
    keep_alive_s: int = 75

    @property
    def room_bytes(self) -> int:
        """`held_bytes`, worked out where it is None."""
        if self.held_bytes is not None:
            return self.held_bytes
        wav_bytes = int(self.polish_audio_s * MAX_STEREO_SR * 2 * 2)
        usual = 400 * 2**20
        if self.memory_bytes is not None:
            usual = min(usual, self.memory_bytes // 8)
        return max(usual, 2 * self.upload_bytes, 2 * wav_bytes)

    @property
    def decoding_bytes(self) -> int:
        """What decoding one recording may take: its file, twice, and what decoders need."""
        wanted = 256 * 2**20 + 2 * self.upload_bytes + int(self.audio_s * 100_000)
        if self.memory_bytes is None:
            return wanted
        least = self.upload_bytes + int(self.audio_s * 100_000) + 32 * 2**20
        return min(wanted, max(least, self.memory_bytes // 6))

    @property
    def polishing_bytes(self) -> int:
        """What polishing one recording may take: 2 GB for a quarter of an hour."""
        wanted = 512 * 2**20 + 2 * self.upload_bytes + int(self.audio_s * 3_000_000)
        if self.memory_bytes is None:
            return wanted
        return min(wanted, self.memory_bytes // 4 // self.polishers)

    @property
    def polish_audio_s(self) -> float:
        """The most seconds of audio that are polished within `polishing_bytes`."""
        room = (self.polishing_bytes - _POLISHING_BYTES) / _POLISHING_BYTES_A_SECOND
        return min(self.audio_s, max(1.0, room))

    @property
    def allowance(self) -> Allowance:
        """What a recording may take that goes before long ones."""
        return Allowance(self.quick_audio_s, self.quick_processor_s)

    @property
    def thorough(self) -> int:
        """Long recordings, and explanations, worked on at once."""
        return max(1, self.workers // 2)

    @property
    def explain_audio_s(self) -> float:
        """The most seconds of audio that are explained."""
        if self.memory_bytes is None:
            return _EXPLAINED_S
        room = self.memory_bytes / 8 / self.thorough
        return min(_EXPLAINED_S, max(1.0, room / _EXPLAINING_BYTES_A_SECOND))

    @property
    def polishers(self) -> int:
        """Recordings polished at once: a quarter of an hour takes 2 GB, so never more than two."""
        return min(2, max(1, self.workers // 2))


# What polishing takes whatever the length, and for each second at the highest rate that is kept.
_POLISHING_BYTES = 96 * 2**20
_POLISHING_BYTES_A_SECOND = 2_400_000


# The longest recording that is explained takes a hundred times what its answer takes; its sounds
# take so much memory for each second.
_EXPLAINED_S = 120.0
_EXPLAINING_BYTES_A_SECOND = 3_200_000


class Pool:
    """Worker threads with a bounded queue.

    A thread cannot be stopped from outside. So a task is told its deadline, has to end by itself
    then, and keeps its place, and what it holds, until it has ended.
    """

    def __init__(self, name: str, *, workers: int, waiting: int, work_s: float) -> None:
        self.name = name
        self._workers = workers
        self._capacity = workers + waiting
        self._work_s = work_s
        self._jobs = 0
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix=f"genrescope-{name}")

    @property
    def jobs(self) -> int:
        """Running and waiting together."""
        return self._jobs

    def check(self, *, idle: bool = False) -> None:
        """Raises ProblemError 503 while there is no place in the queue, or no idle worker."""
        if self._jobs >= (self._workers if idle else self._capacity):
            raise problems.busy()

    def deadline(self) -> float:
        """When what begins to wait now has to be done, by `time.monotonic`."""
        return time.monotonic() + self._work_s

    async def run(
        self,
        task: Callable[[float], T],
        *,
        gone: Callable[[], Awaitable[None]] | None = None,
        ended: Callable[[], None] = lambda: None,
        deadline: float | None = None,
    ) -> T:
        """Runs ``task`` in a worker thread.

        Args:
            task: what to do; takes the time, by `time.monotonic`, at which it has to end.
            gone: ends when nobody waits for the answer any more; work not begun is dropped.
            ended: called in the event loop, once, when the task has ended or will never begin,
                which may be long after this returns.
            deadline: of both, where another than the limit of this pool holds.

        Raises:
            ProblemError: 503 when the queue is full, 504 past the time limit.
            ClientDisconnect: ``gone`` ended first.
        """
        with self._lock:
            try:
                self.check()
            except BaseException:
                ended()
                raise
            self._jobs += 1
        loop = asyncio.get_running_loop()
        deadline = self.deadline() if deadline is None else deadline
        # A job given up stays in the executor's queue: what it would have worked on need not.
        to_do = [task]
        job = self._threads.submit(lambda: to_do.pop()(deadline))

        def leave(_: Future[T]) -> None:
            with self._lock:
                self._jobs -= 1
            with suppress(RuntimeError):  # the loop is closed, and all it held with it
                loop.call_soon_threadsafe(ended)

        job.add_done_callback(leave)
        answer = asyncio.wrap_future(job)
        leaving = asyncio.ensure_future(gone()) if gone is not None else None
        waited_for: set[asyncio.Future[Any]] = {answer} | ({leaving} if leaving else set())
        try:
            left_s = max(0.0, deadline - time.monotonic())
            await asyncio.wait(waited_for, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                try:
                    return answer.result()
                except JobTimeoutError:
                    raise problems.timed_out(self._work_s) from None
            if leaving is not None and leaving.done():
                raise ClientDisconnect
            raise problems.timed_out(self._work_s)
        finally:
            answer.cancel()
            if job.cancel():
                to_do.clear()
            if leaving is not None:
                leaving.cancel()

    def close(self) -> None:
        """Lets what runs finish, drops what waits."""
        self._threads.shutdown(wait=True, cancel_futures=True)


class Budget:
    """Bytes held in memory for all requests together (used by the event loop alone)."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self._arriving: set[Lease] = set()

    def lease(self) -> Lease:
        """A share of it that begins empty."""
        return Lease(self)

    def give_up_slowest(self) -> None:
        """Let go of the upload that arrives the slowest, so that none can park what all share."""
        now = time.monotonic()
        old_enough = [lease for lease in self._arriving if now - lease.since > _YOUNG_S]
        if old_enough:
            min(old_enough, key=lambda lease: lease.taken / (now - lease.since)).give_up()


_YOUNG_S = 2.0
"""An upload younger than this is not yet judged by its rate."""


class Lease:
    """What one request holds of a `Budget`; `release` gives all of it back, once.

    Attributes:
        since: when it began to fill, by `time.monotonic`.
        taken: bytes.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._give_up: Callable[[], None] = lambda: None
        self.since = time.monotonic()
        self.taken = 0

    @contextmanager
    def arriving(self, give_up: Callable[[], None]) -> Iterator[None]:
        """While it fills, ``give_up`` may be called: others need the room more."""
        self._give_up = give_up
        self._budget._arriving.add(self)
        try:
            yield
        finally:
            self._budget._arriving.discard(self)

    def give_up(self) -> None:
        """Have its upload end, once: it may take a while until it does."""
        self._budget._arriving.discard(self)
        self._give_up()

    def take(self, n_bytes: int) -> None:
        """Raises ProblemError 503 where so much more would be over the budget."""
        if self._budget.held + n_bytes > self._budget.limit:
            self._budget.give_up_slowest()
            raise problems.busy(5)
        self._budget.held += n_bytes
        self.taken += n_bytes

    def release(self) -> None:
        self._budget.held -= self.taken
        self.taken = 0


class SharedLease:
    """A lease that is released when the last of those who hold it lets go: a worker may hold a
    recording for longer than its client waits. Its maker is the first holder."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self._holders = 1

    def also(self) -> Callable[[], None]:
        """One more holder; what it returns lets go."""
        self._holders += 1
        return self.let_go

    def let_go(self) -> None:
        """One holder less."""
        self._holders -= 1
        if self._holders == 0:
            self.lease.release()
