"""Classifies in a process of its own, so that a file that crashes a decoder ends that one alone.

The decoders are C, and a damaged file may find a fault in them that no exception reports. When the
process dies, the files after its last answer are tried one at a time in a new one, until the
culprit is found and named; then the job goes on as before.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from genrescope.cli.answer import MOST_WORKERS
from genrescope.errors import GenrescopeError

if TYPE_CHECKING:
    from genrescope.model.prediction import Prediction

CAREFUL = 2 * MOST_WORKERS + 2
"""How many files are tried one at a time after a crash; more than are ever under way at once."""

PATIENCE_S = 1_800.0
"""How long one answer may take: a file that keeps a decoder busy for ever must not end the job."""

# -P and the parent's own path: nothing that lies among the music is imported.
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from genrescope.cli.guard import work; work(json.loads(sys.argv[2]))"
)

_OPEN_FILE = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")


@dataclass(frozen=True)
class _Job:
    bundle: str
    paths: list[str]
    careful: bool


@dataclass(frozen=True)
class _Fault:
    """What ends the whole job, not one file of it."""

    message: str


def answers(bundle: str | os.PathLike[str], paths: Sequence[str]) -> Iterator[Prediction | str]:
    """For each path, in order, its prediction or what went wrong.

    Raises:
        GenrescopeError: the bundle cannot be used, or no process starts.
    """
    done, careful = 0, False
    while done < len(paths):
        end = min(done + CAREFUL, len(paths)) if careful else len(paths)
        with _worker(paths) as worker:
            for answer in _replies(worker, _Job(os.fspath(bundle), [*paths[done:end]], careful)):
                done += 1
                yield answer
            death = None if done == end else _death(worker.wait())
        if death is not None and careful:
            yield f"{paths[done]}: it {death}. Convert it to WAV or FLAC."
            done += 1
        careful = death is not None


@contextmanager
def _worker(paths: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits for a job of ``paths``; it does not outlive the block."""
    own_input, others = _descriptors(paths)
    inherited = [fd for fd in (own_input, *others) if fd is not None]
    try:
        worker = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, json.dumps(sys.path), json.dumps(own_input)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=inherited,
        )
    finally:
        if own_input is not None:
            os.close(own_input)
    try:
        yield worker
    finally:
        worker.kill()
        for pipe in (worker.stdin, worker.stdout):
            assert pipe is not None
            with suppress(OSError):
                pipe.close()
        worker.wait()


def _descriptors(paths: Sequence[str]) -> tuple[int | None, list[int]]:
    """What of this process the worker needs: a copy of its standard input, and open files.

    A path such as ``/dev/stdin`` or ``/dev/fd/63``, which a shell makes of ``<(command)``, is a
    file that this process has open; in the worker, the same number must be the same file.
    """
    numbers = {int(match[1]) for path in paths if (match := _OPEN_FILE.fullmatch(path))}
    own_input = None
    if numbers & {0} or "/dev/stdin" in paths:
        with suppress(OSError):  # it was closed before
            own_input = os.dup(0)
    return own_input, [number for number in numbers if number > 2 and _is_open(number)]


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except (OSError, OverflowError):
        return False
    return True


def _replies(worker: subprocess.Popen[bytes], job: _Job) -> Iterator[Prediction | str]:
    """Answers until the last, or until the process dies."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    with suppress(BrokenPipeError):
        pickle.dump(job, worker.stdin)
        worker.stdin.flush()
    ready = _reply(worker.stdout)
    if ready is None:
        raise GenrescopeError(f"no process to classify in could start (status {worker.wait()})")
    for _ in job.paths:
        reply = ready if isinstance(ready, _Fault) else _reply_in_time(worker)
        if reply is None:
            return
        if isinstance(reply, _Fault):
            raise GenrescopeError(reply.message)
        yield reply


def _reply_in_time(worker: subprocess.Popen[bytes]) -> Any:
    assert worker.stdout is not None
    patience = threading.Timer(PATIENCE_S, worker.kill)
    patience.daemon = True
    patience.start()
    try:
        return _reply(worker.stdout)
    finally:
        patience.cancel()


def _reply(pipe: IO[bytes]) -> Any:
    """The next reply, or None where the process died before it was complete."""
    try:
        return pickle.load(pipe)
    except (EOFError, pickle.UnpicklingError):
        return None


def _death(status: int) -> str:
    """What a file did to a process that ended with ``status``."""
    if status == -9:  # by the system, whose memory it filled, or by us
        return f"took all memory or more than {PATIENCE_S / 60:g} minutes"
    words = f"exit code {status}" if status >= 0 else signal.strsignal(-status) or str(status)
    return f"crashed the decoder ({words})"


def work(own_input: int | None) -> None:
    """What the process does: a `_Job` from standard input, its replies to standard output.

    Args:
        own_input: descriptor of what is to be standard input after the job was read.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which kills this one
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get among the replies

    def reply(value: object) -> None:
        pickle.dump(value, replies)
        replies.flush()

    from genrescope.cli.answer import answer, in_order
    from genrescope.cli.walk import Found
    from genrescope.model.classifier import Classifier

    job = pickle.load(sys.stdin.buffer)
    if own_input is not None:
        os.dup2(own_input, 0)
    found = [Found(path) for path in job.paths]
    with suppress(BrokenPipeError):  # the parent is gone, and nobody waits for answers
        try:
            classifier = Classifier.load(job.bundle, threads=1)  # a core each for many files
            reply("ready")
            if job.careful:
                for file in found:
                    reply(answer(classifier.classify, file))
            else:
                for _, prediction in in_order(classifier, found):
                    reply(prediction)
        except GenrescopeError as error:
            reply(_Fault(str(error)))
    os._exit(0)  # threads may still be decoding
