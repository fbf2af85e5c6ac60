"""`decode` and `decode_channels` for strangers' files, in a process of their own (a `Sandbox`)."""

from __future__ import annotations

import math
import os
from dataclasses import asdict, dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from genrescope.audio.decode import decode, decode_channels
from genrescope.audio.isolation import CONVERT, FOLDER_LIMITS, ask, in_time, warm_up
from genrescope.audio.source import name_of
from genrescope.audio.waveform import Waveform
from genrescope.errors import AudioError
from genrescope.sandbox import Sandbox
from genrescope.sandbox_worker import Handler, Job, Reply


@dataclass(frozen=True)
class _Wanted:
    """What a process is to make of a recording: a waveform, or its channels."""

    channels: bool
    sr: int | None
    duration: float | None
    max_duration_s: float


class ConfinedDecoder:
    """A process that decodes one recording after the other, within `FOLDER_LIMITS`.

    It starts with the first recording, and ends with the block of ``with``; what crashes it costs
    one recording. After its end it may be used again.
    """

    def __init__(self) -> None:
        self._sandbox: Sandbox | None = None

    def __enter__(self) -> ConfinedDecoder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None

    def decode(
        self,
        path: str | os.PathLike[str],
        *,
        sr: int | None,
        duration: float | None = None,
        max_duration_s: float = FOLDER_LIMITS.audio_s,
    ) -> Waveform:
        """As `genrescope.audio.decode.decode`, sample for sample.

        Raises:
            AudioError: as that does; or it took too long, or ended the process that tried.
            AudioTooLongError: it is longer than ``max_duration_s``.
            GenrescopeError: no process can be started.
        """
        samples, rate, flags = self._decoded(path, _Wanted(False, sr, duration, max_duration_s))
        return Waveform(samples, rate, flags)

    def decode_channels(
        self, path: str | os.PathLike[str], *, max_duration_s: float
    ) -> tuple[NDArray[np.float32], int]:
        """As `genrescope.audio.decode.decode_channels`; raises as `decode` does."""
        samples, rate, _ = self._decoded(path, _Wanted(True, None, None, max_duration_s))
        return samples, rate

    def _decoded(
        self, path: str | os.PathLike[str], wanted: _Wanted
    ) -> tuple[NDArray[np.float32], int, tuple[str, ...]]:
        if self._sandbox is None:
            self._sandbox = Sandbox(
                "genrescope.audio.confined:handler",
                {},
                processes=1,
                memory_bytes=FOLDER_LIMITS.memory_bytes,
            )
        name = name_of(path)
        with in_time(name) as deadline:
            reply = ask(self._sandbox, path, asdict(wanted), deadline=deadline)
        return _checked(reply, wanted, name)


def _checked(
    reply: Reply, wanted: _Wanted, name: str
) -> tuple[NDArray[np.float32], int, tuple[str, ...]]:
    """Sound, rate and flags of what a process sent that a recording may have taken over."""
    sr, flags = reply.facts.get("sr"), reply.facts.get("flags")
    (samples,) = reply.arrays if len(reply.arrays) == 1 else (np.zeros(0, np.float32),)
    shape = samples.shape[1:]
    sound = (
        samples.dtype == np.float32
        and samples.ndim >= 1
        and len(samples) > 0
        and shape in ([(1,), (2,)] if wanted.channels else [()])
        and bool(np.isfinite(samples).all())
        and isinstance(sr, int)
        and 0 < sr < math.inf
        and (wanted.sr is None or sr == wanted.sr)
        and isinstance(flags, list)
        and all(flag == "truncated" for flag in flags)
    )
    if not sound:
        raise AudioError(name, "it made the decoder answer nonsense", CONVERT)
    assert isinstance(sr, int)
    assert isinstance(flags, list)
    return samples, sr, tuple(flags)


def handler() -> Handler:
    """What the process does: a job's file to its samples."""

    def samples(job: Job) -> Reply:
        options = dict(job.options)
        if options.pop("channels"):
            of_all, sr = decode_channels(
                job.file, max_duration_s=options["max_duration_s"], name=options["name"]
            )
            return Reply({"sr": sr, "flags": []}, (of_all,))
        wave = decode(job.file, **options)
        return Reply({"sr": wave.sr, "flags": list(wave.flags)}, (wave.samples,))

    warm_up(decode)
    return samples
