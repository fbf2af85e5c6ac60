"""What a process of the sandbox does: it takes jobs from its parent, and sends replies.

The other side of the pipe is `genrescope.sandbox`.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from genrescope.confinement import confine, limit_processor
from genrescope.errors import AudioError, GenrescopeError

__all__ = ["REPLY_HEAD", "REQUEST_HEAD", "Handler", "Job", "Reply", "work"]

REQUEST_HEAD = struct.Struct("=IQ")
"""Before a request: the bytes of its header and of its data."""
REPLY_HEAD = struct.Struct("=I")
"""Before a reply: the bytes of its header, which says how long its arrays are."""
_PIECE = 2**20


@dataclass(frozen=True)
class Job:
    """What a handler is to do.

    Attributes:
        file: the untrusted bytes.
        options: of the handler's own, JSON-ready.
    """

    file: BinaryIO
    options: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Reply:
    """What a handler found: JSON-ready facts, and arrays of float16 to float64, int64 or uint8."""

    facts: Mapping[str, Any]
    arrays: tuple[NDArray[Any], ...] = ()


Handler: TypeAlias = Callable[[Job], Reply]


def work() -> None:
    """Do a handler's jobs: they come by standard input, replies go to standard output.

    The command line names the handler's factory, its settings, the memory and the niceness.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this one
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get among the replies
    _, factory, settings, memory_bytes, niceness = sys.argv[1:]
    if sys.platform != "win32":
        os.nice(int(niceness))
    module, _, function = factory.partition(":")
    try:
        handler: Handler = getattr(importlib.import_module(module), function)(
            **json.loads(settings)
        )
    except GenrescopeError as error:
        _write(replies, {"fault": str(error)})
        return
    holds = confine(memory_bytes=int(memory_bytes), readable=[path for path in sys.path if path])
    requests = _Requests()
    with suppress(BrokenPipeError):  # the parent is gone
        _write(replies, {"holds": holds})
        while (job := requests.next()) is not None:
            with job.file:
                _answer(replies, handler, job)
    os._exit(0)


def _answer(replies: IO[bytes], handler: Handler, job: Job) -> None:
    try:
        reply = handler(job)
        arrays = [np.ascontiguousarray(array) for array in reply.arrays]
    except AudioError as error:
        _write(replies, {"error": [type(error).__name__, error.name, error.reason, error.remedy]})
    except Exception as error:
        _write(replies, {"error": [type(error).__name__, str(error)]})
    else:
        kinds = [(array.dtype.name, array.shape) for array in arrays]
        _write(replies, {"facts": reply.facts, "arrays": kinds}, *arrays)


def _write(replies: IO[bytes], header: Any, *arrays: NDArray[Any]) -> None:
    text = json.dumps(header).encode()
    replies.write(REPLY_HEAD.pack(len(text)) + text)
    for array in arrays:
        replies.write(array.data.cast("B") if array.size else b"")
    replies.flush()


class _Requests:
    """Jobs as they come in from the parent."""

    def __init__(self) -> None:
        self._stream: BinaryIO
        self._channel: socket.socket | None = None
        if sys.platform == "win32":
            self._stream = sys.stdin.buffer
        else:
            self._channel = socket.socket(fileno=os.dup(0))
            self._stream = self._channel.makefile("rb", buffering=0)  # type: ignore[assignment]

    def next(self) -> Job | None:
        """The next job; None at the end."""
        head = self._read(REQUEST_HEAD.size)
        if head is None:
            return None
        n_header, n_data = REQUEST_HEAD.unpack(head)
        header = json.loads(self._read(n_header) or b"{}")
        if header["seconds"] is not None:
            limit_processor(header["seconds"])
        file: BinaryIO
        if header["file"] and self._channel is not None and sys.platform != "win32":
            _, (descriptor,), _, _ = socket.recv_fds(self._channel, 1, 1)
            os.lseek(descriptor, 0, os.SEEK_SET)
            file = os.fdopen(descriptor, "rb")
        else:
            file = self._file(n_data)
        return Job(file, header["options"])

    def _file(self, n_bytes: int) -> io.BytesIO:
        """So many bytes that follow, read piece by piece: they are never there twice."""
        file = io.BytesIO()
        while (left := n_bytes - file.tell()) > 0:
            piece = self._read(min(left, _PIECE))
            if piece is None:
                break
            file.write(piece)
        file.seek(0)
        return file

    def _read(self, n_bytes: int) -> bytes | None:
        data = bytearray(n_bytes)
        view = memoryview(data)
        done = 0
        while done < n_bytes:
            n = self._stream.readinto(view[done:])  # type: ignore[attr-defined]
            if not n:
                return None
            done += n
        view.release()
        return bytes(data)
