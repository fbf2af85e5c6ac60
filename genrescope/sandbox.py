"""Runs a function on untrusted files in processes of its own, which may crash, hang or grow.

Decoders are C code, and a file may be made to exploit a fault in them. So they run in processes
(`genrescope.sandbox_worker`) that are started ahead, confined (`genrescope.confinement`), ended at
a deadline, and replaced when they die; a fault costs a single answer. What comes back is JSON and
plain arrays, checked before they are used: nothing from such a process is unpickled or run.
"""

from __future__ import annotations

import json
import math
import os
import queue
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, BinaryIO, TypeVar

import numpy as np

from genrescope.confinement import FENCES
from genrescope.errors import AudioError, AudioStoppedError, AudioTooLongError, GenrescopeError
from genrescope.sandbox_worker import REPLY_HEAD, REQUEST_HEAD, Reply

__all__ = ["JobError", "JobTimeoutError", "Sandbox", "in_order"]

_START_S = 120.0  # a machine under load takes its time to load libraries
_MOST_HEADER_BYTES = 2**20
_KINDS = ("float16", "float32", "float64", "int64", "uint8")
_ERRORS = {kind.__name__: kind for kind in (AudioError, AudioTooLongError, AudioStoppedError)}
# Nothing else of the environment: it may hold secrets.
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "SYSTEMROOT", "LD_LIBRARY_PATH")
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

# -P and the parent's own path: nothing that lies among the music is imported.
_COMMAND = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from genrescope.sandbox_worker import work; work()"
)


class JobError(GenrescopeError):
    """A job that ended with its process: it crashed, or went past a limit.

    Args:
        reason: what happened, one clause without a full stop.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class JobTimeoutError(JobError):
    """A job that was not done by its deadline."""


T = TypeVar("T")
R = TypeVar("R")


def in_order(
    work: Callable[[T], R], items: Iterable[T], workers: int
) -> Generator[tuple[T, R], None, None]:
    """Each item with what ``work`` makes of it, a few items ahead at a time.

    Args:
        work: called in ``workers`` threads, int > 0; what it raises, this raises. Closed midway,
            this does not wait for it.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="in-order")
    ahead: deque[tuple[T, Future[R]]] = deque()
    try:
        for item in items:
            ahead.append((item, pool.submit(work, item)))
            if len(ahead) > 2 * workers:
                first, future = ahead.popleft()
                yield first, future.result()
        while ahead:
            first, future = ahead.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class Sandbox:
    """Processes that wait for jobs.

    Args:
        factory: ``package.module:function``, which is called in each process with ``settings`` and
            returns its handler, warm: after that no library is loaded but from Python's folders.
        settings: JSON-ready arguments of the factory.
        processes: how many; as many jobs run at once.
        memory_bytes: what one may take beyond what it has when it is ready, and send back.
        niceness: how far they stand back for this process where processors are scarce, 0 to 19.
    """

    def __init__(
        self,
        factory: str,
        settings: Mapping[str, Any],
        *,
        processes: int,
        memory_bytes: int,
        niceness: int = 0,
    ) -> None:
        self._factory = factory
        self._settings = dict(settings)
        self._memory_bytes = memory_bytes
        self._niceness = niceness
        self._lock = threading.Lock()
        self._closed = False
        self._all: set[_Process] = set()
        self._idle: queue.SimpleQueue[_Process | None] = queue.SimpleQueue()
        for _ in range(processes):
            self._idle.put(None)
        self._processes = processes

    def start(self) -> None:
        """Start the processes now, so that nobody waits for it later; returns at once."""
        for _ in range(self._processes):
            self._idle.put(self._idle.get() or self._spawn())

    def run(
        self,
        source: bytes | bytearray | memoryview | BinaryIO,
        options: Mapping[str, Any] | None = None,
        *,
        deadline: float = math.inf,
    ) -> Reply:
        """Have a job done; several threads may call it.

        Args:
            source: what the handler reads: bytes, or an open file, of which the process gets the
                descriptor and not the name.
            options: the handler's own, JSON-ready.
            deadline: when to end it, by `time.monotonic`.

        Raises:
            AudioError, AudioTooLongError: as the handler raised it.
            JobTimeoutError: it was not done by the deadline.
            JobError: its process died.
            GenrescopeError: no process can be started.
            RuntimeError: the handler raised something else.
        """
        process = self._taken(deadline)
        try:
            return process.ask(source, options or {}, deadline)
        finally:
            if process.alive:
                self._idle.put(process)
            else:
                self._drop(process)
                replace = process.was_ready and not self._closed
                self._idle.put(self._spawn() if replace else None)

    def fences(self) -> tuple[str, ...]:
        """Which of `genrescope.confinement.FENCES` hold in every process; waits for one to start.

        Raises:
            GenrescopeError: no process can be started.
        """
        process = self._taken(math.inf)
        try:
            process.await_ready(math.inf)
            return process.fences
        finally:
            self._idle.put(process if process.alive else None)

    def close(self) -> None:
        """End every process, whatever it is doing; jobs under way end with a JobError."""
        with self._lock:
            self._closed = True
            processes, self._all = self._all, set()
        for process in processes:
            process.kill()

    def _taken(self, deadline: float) -> _Process:
        wait = None if deadline == math.inf else max(0.0, deadline - time.monotonic())
        try:
            process = self._idle.get(timeout=wait)
        except queue.Empty:
            raise JobTimeoutError("it found no free process in time") from None
        if process is not None and not process.alive:  # it died after its last answer
            self._drop(process)
            process = None
        return process or self._spawn()

    def _drop(self, process: _Process) -> None:
        with self._lock:
            self._all.discard(process)
        process.kill()

    def _spawn(self) -> _Process:
        process = _Process(self._factory, self._settings, self._memory_bytes, self._niceness)
        with self._lock:
            self._all.add(process)
            closed = self._closed
        if closed:
            process.kill()
        return process


class _Process:
    """One process, and the way of speaking with it."""

    def __init__(
        self, factory: str, settings: dict[str, Any], memory_bytes: int, niceness: int
    ) -> None:
        self.was_ready = False
        self.fences: tuple[str, ...] = ()
        self._memory_bytes = memory_bytes
        self._timed_out = False
        self._limit_s = 0.0
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        environment |= dict.fromkeys(_ONE_THREAD, "1")
        arguments = [json.dumps(sys.path), factory, json.dumps(settings)]
        arguments += [str(memory_bytes), str(niceness)]
        self._channel: socket.socket | None = None
        theirs: Any = subprocess.PIPE
        if sys.platform != "win32":  # a socket, since descriptors of files can be sent through it
            self._channel, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _COMMAND, *arguments],
                stdin=theirs,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
        finally:
            if self._channel is not None:
                theirs.close()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        for pipe in (self._channel, self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError, ValueError):
                    pipe.close()
        self._process.wait()

    def await_ready(self, deadline: float) -> None:
        if self.was_ready:
            return
        header = self._within(min(deadline, time.monotonic() + _START_S), self._read_header)
        if "fault" in header:
            self._process.kill()
            self._process.wait()
            raise GenrescopeError(str(header["fault"]))
        self.was_ready = True
        self.fences = tuple(fence for fence in FENCES if fence in header.get("holds", ()))

    def ask(
        self, source: bytes | bytearray | memoryview | BinaryIO, options: Any, deadline: float
    ) -> Reply:
        try:
            self.await_ready(deadline)
        except JobTimeoutError:
            raise
        except JobError as error:
            raise GenrescopeError(f"no process to decode in could start: {error}") from None
        return self._within(deadline, lambda: self._exchange(source, options, deadline))

    def _within(self, deadline: float, talk: Callable[[], T]) -> T:
        """What ``talk`` returns; the process is ended where it takes longer."""
        self._limit_s = max(0.0, deadline - time.monotonic())
        timer = None
        if deadline < math.inf:
            timer = threading.Timer(self._limit_s, self._time_out)
            timer.daemon = True
            timer.start()
        try:
            return talk()
        except (EOFError, OSError, ValueError) as error:
            raise self._death() from error
        finally:
            if timer is not None:
                timer.cancel()

    def _time_out(self) -> None:
        self._timed_out = True
        self._process.kill()

    def _death(self) -> JobError:
        """What a process did that died, or that answers in no form it should."""
        try:
            # One that was ended for its time is gone soon, but on a busy machine not in a second.
            status = self._process.wait(None if self._timed_out else 1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return JobError("it made the decoder answer nonsense")
        if self._timed_out or (sys.platform != "win32" and status == -signal.SIGXCPU):
            return JobTimeoutError(f"it took more than {_duration(self._limit_s)}")
        if status == -9:  # by the system, whose memory it filled, or by us at the end
            return JobError("it took all memory, or was stopped")
        words = f"exit code {status}" if status >= 0 else signal.strsignal(-status) or str(status)
        return JobError(f"it crashed the decoder ({words})")

    def _exchange(
        self, source: bytes | bytearray | memoryview | BinaryIO, options: Any, deadline: float
    ) -> Reply:
        seconds = None if deadline == math.inf else self._limit_s
        descriptor, data = None, source
        if not isinstance(source, bytes | bytearray | memoryview):
            if self._channel is None or not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
                data = source.read()
            else:
                descriptor, data = source.fileno(), b""
        header = {"options": options, "seconds": seconds, "file": descriptor is not None}
        self._send(header, memoryview(data), descriptor)  # type: ignore[arg-type]
        return self._received()

    def _send(self, header: Any, data: memoryview, descriptor: int | None) -> None:
        text = json.dumps(header).encode()
        head = REQUEST_HEAD.pack(len(text), len(data)) + text
        if self._channel is None:
            assert self._process.stdin is not None
            self._process.stdin.write(head)
            self._process.stdin.write(data)
            self._process.stdin.flush()
            return
        self._channel.sendall(head)
        if sys.platform != "win32" and descriptor is not None:
            socket.send_fds(self._channel, [b"f"], [descriptor])
        self._channel.sendall(data)

    def _received(self) -> Reply:
        header = self._read_header()
        if (error := header.get("error")) is not None:
            _raise(error)
        try:
            facts, kinds = (
                dict(header["facts"]),
                [(str(k), [*map(int, n)]) for k, n in header["arrays"]],
            )
        except (KeyError, TypeError) as error:
            raise ValueError("it sends no reply") from error
        arrays, left = [], self._memory_bytes
        for kind, shape in kinds:
            if kind not in _KINDS or min(shape, default=0) < 0:
                raise ValueError("it sends what is no array")
            n_bytes = math.prod(shape) * np.dtype(kind).itemsize
            left -= n_bytes
            if left < 0:
                raise ValueError("it sends more than it may hold")
            arrays.append(np.frombuffer(self._read(n_bytes), kind).reshape(shape))
        return Reply(facts, tuple(arrays))

    def _read_header(self) -> dict[str, Any]:
        (n_bytes,) = REPLY_HEAD.unpack(self._read(REPLY_HEAD.size))
        if n_bytes > _MOST_HEADER_BYTES:
            raise ValueError("it sends too much")
        try:
            header = json.loads(self._read(n_bytes))
        except RecursionError as error:
            raise ValueError("it sends what is too deep") from error
        if not isinstance(header, dict):
            raise ValueError("it sends what is no header")
        return header

    def _read(self, n_bytes: int) -> bytes:
        assert self._process.stdout is not None
        data: bytes = self._process.stdout.read(n_bytes)
        if len(data) < n_bytes:
            raise EOFError
        return data


def _raise(error: Any) -> None:
    parts = error if isinstance(error, list) and error else [error]
    kind, *texts = [str(part)[:1_000] for part in parts]
    if kind in _ERRORS and len(texts) == 3:
        raise _ERRORS[kind](*texts)
    if kind == "MemoryError":
        raise JobError("it needs more memory than it may have")
    raise RuntimeError(f"{kind}: {' '.join(texts)}")


def _duration(seconds: float) -> str:
    return f"{seconds:.3g} seconds" if seconds < 120 else f"{seconds / 60:.3g} minutes"
