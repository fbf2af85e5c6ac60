"""Recordings of strangers, decoded in a `Sandbox`: what all who do so have in common."""

from __future__ import annotations

import io
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from genrescope.audio.decode import decode
from genrescope.audio.source import name_of, open_path
from genrescope.errors import AudioError
from genrescope.system import keep_freed_memory

if TYPE_CHECKING:
    from genrescope.sandbox import Sandbox
    from genrescope.sandbox_worker import Reply

CONVERT = "Convert it to WAV or FLAC."


@dataclass(frozen=True)
class JobLimits:
    """What one recording of a folder may cost.

    Attributes:
        seconds: from when it is begun, by the clock.
        memory_bytes: of the process that decodes it, its features included; a day of sound, whose
            features take a gigabyte, fits.
        audio_s: of sound; a few MB can decode to weeks.
    """

    seconds: float = 1_800.0
    memory_bytes: int = 4 * 2**30
    audio_s: float = 24 * 3_600.0


FOLDER_LIMITS = JobLimits()
"""Of `classify`, `library`, `dataset` and `train` alike."""


def ask(
    sandbox: Sandbox,
    source: str | os.PathLike[str] | bytes | BinaryIO,
    options: Mapping[str, Any],
    *,
    name: str | None = None,
    deadline: float = math.inf,
) -> Reply:
    """Have a recording decoded by a sandbox's handler, whose options hold its ``name`` too.

    Args:
        source: a path, bytes or an open file.
        options: the handler's own, JSON-ready.
        name: what errors call it; by default its path.
        deadline: when to give up, by `time.monotonic`.

    Raises:
        AudioError: it cannot be read or decoded, or ended the process that tried.
        AudioTooLongError: as the handler raised it.
        JobTimeoutError: it was not done by the deadline.
        GenrescopeError: no process can be started.
        RuntimeError: the handler raised what no decoder should.
    """
    # It loads sockets and more, which whoever asks for the limits alone does not pay for.
    from genrescope.sandbox import JobError, JobTimeoutError

    if isinstance(source, str | os.PathLike):
        name = name or name_of(source)
        with open_path(Path(source), name) as file:
            return ask(sandbox, file, options, name=name, deadline=deadline)
    name = name or "recording"
    try:
        return sandbox.run(source, {**options, "name": name}, deadline=deadline)
    except JobTimeoutError:
        raise
    except JobError as error:
        raise AudioError(name, error.reason, CONVERT) from error


@contextmanager
def in_time(name: str) -> Iterator[float]:
    """A deadline by `FOLDER_LIMITS` for what `ask` is asked, by `time.monotonic`.

    Raises:
        AudioError: it is past, or the handler raised what no decoder should.
    """
    from genrescope.sandbox import JobTimeoutError

    try:
        yield time.monotonic() + FOLDER_LIMITS.seconds
    except JobTimeoutError as error:
        raise AudioError(name, error.reason, CONVERT) from error
    except RuntimeError as error:
        raise AudioError(name, f"it could not be decoded ({error})", CONVERT) from error


def warm_up(handle: Callable[[BinaryIO], object]) -> None:
    """Make a process ready to be confined: its handler decodes by each library once, to load it."""
    import soundfile

    noise = np.random.default_rng(0).normal(0, 0.1, 44_100).astype(np.float32)
    for kind, subtype in (("WAV", "PCM_16"), ("OGG", "VORBIS")):
        file = io.BytesIO()
        soundfile.write(file, noise, 44_100, format=kind, subtype=subtype)
        handle(file)
    decode(file, sr=None)
    keep_freed_memory()
