"""Features of strangers' recordings, decoded in processes of their own (`genrescope.sandbox`)."""

from __future__ import annotations

import math
import os
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from genrescope.audio.decode import stream
from genrescope.audio.isolation import CONVERT, FOLDER_LIMITS, ask, in_time, warm_up
from genrescope.audio.source import name_of
from genrescope.audio.waveform import Waveform
from genrescope.errors import AudioError, AudioStoppedError, AudioTooLongError, GenrescopeError
from genrescope.model.bundle import Bundle
from genrescope.model.clip import Clip, as_waveform, extract_features
from genrescope.model.prediction import SHORT, SILENT, TRUNCATED
from genrescope.sandbox import Sandbox
from genrescope.sandbox_worker import Handler, Job, Reply


@dataclass(frozen=True, eq=False)
class Recording:
    """A recording as samples, and what the front end makes of them.

    Attributes:
        waveform: at the front end's rate.
        clip: its features.
    """

    waveform: Waveform
    clip: Clip


@dataclass(frozen=True)
class Allowance:
    """What a recording may take that is to be decoded before others.

    Attributes:
        audio_s: of sound.
        processor_s: of a processor, in the process that decodes it.
    """

    audio_s: float
    processor_s: float


class OverAllowanceError(GenrescopeError):
    """A recording that takes more than its `Allowance`; nothing is wrong with it."""


class IsolatedFeatures:
    """`extract_features` in a `Sandbox`; the net stays in this process.

    Args:
        bundle: whose front end hears.
        processes: recordings decoded at once.
        memory_bytes: what decoding one may take, its file and its features included.
        niceness: how far decoding stands back for this process, see `Sandbox`.
    """

    def __init__(
        self, bundle: Bundle, *, processes: int, memory_bytes: int, niceness: int = 0
    ) -> None:
        self._n_bins, self._sr = bundle.features.n_bins, bundle.features.sr
        self.sandbox = Sandbox(
            "genrescope.model.isolation:handler",
            {"bundle": os.fspath(bundle.path)},
            processes=processes,
            memory_bytes=memory_bytes,
            niceness=niceness,
        )

    def features(
        self,
        source: str | bytes,
        *,
        name: str | None = None,
        max_duration_s: float | None = None,
        deadline: float = math.inf,
        allowance: Allowance | None = None,
    ) -> Clip:
        """As `extract_features`, for a path or bytes.

        Args:
            deadline: when to give up, by `time.monotonic`.
            allowance: what it may take; by default all that the other limits allow.

        Raises:
            OverAllowanceError: it takes more than the allowance.
            AudioError: it cannot be decoded, holds no sound, or ended the process that tried.
            AudioTooLongError: it is longer than ``max_duration_s``.
            JobTimeoutError: it was not done by the deadline.
            GenrescopeError: no process can be started.
        """
        name = name or ("recording" if isinstance(source, bytes) else name_of(source))
        try:
            reply = self._run(source, name, max_duration_s, deadline, allowance=allowance)
        except AudioStoppedError as error:
            raise OverAllowanceError(f"{name}: it takes more than its allowance.") from error
        return self._checked(reply, name)

    def features_in_time(self, path: str, *, max_duration_s: float = FOLDER_LIMITS.audio_s) -> Clip:
        """As `features`, of a file on this computer, within `FOLDER_LIMITS`.

        Raises:
            AudioError, AudioTooLongError, GenrescopeError: as that; or it took too long.
        """
        with in_time(name_of(path)) as deadline:
            return self.features(path, max_duration_s=max_duration_s, deadline=deadline)

    def recording_in_time(self, path: str, *, max_duration_s: float) -> Recording:
        """As `recording`, of a file on this computer; raises as `features_in_time` does."""
        with in_time(name_of(path)) as deadline:
            return self.recording(
                path, name=name_of(path), max_duration_s=max_duration_s, deadline=deadline
            )

    def recording(
        self,
        source: str | bytes,
        *,
        name: str,
        max_duration_s: float,
        deadline: float = math.inf,
    ) -> Recording:
        """As `features`, with the samples as well. Raises likewise."""
        reply = self._run(source, name, max_duration_s, deadline, samples=True)
        *features, samples = reply.arrays or (np.zeros(0, np.float32),)
        clip = self._checked(Reply(reply.facts, tuple(features)), name)
        if (
            samples.dtype != np.float32
            or samples.ndim != 1
            or not len(samples)
            or not bool(np.isfinite(samples).all())
        ):
            raise AudioError(name, "it made the decoder answer nonsense", CONVERT)
        return Recording(Waveform(samples, self._sr), clip)

    def _run(
        self,
        source: str | bytes,
        name: str,
        longest_s: float | None,
        deadline: float,
        *,
        samples: bool = False,
        allowance: Allowance | None = None,
    ) -> Reply:
        options = {
            "max_duration_s": longest_s,
            "samples": samples,
            "allowance": None if allowance is None else asdict(allowance),
        }
        return ask(self.sandbox, source, options, name=name, deadline=deadline)

    def _checked(self, reply: Reply, name: str) -> Clip:
        """A clip of what comes from a process that a recording may have taken over."""
        duration_s, flags = reply.facts.get("duration_s"), reply.facts.get("flags")
        (log_mel,) = reply.arrays if len(reply.arrays) == 1 else (np.zeros(0, np.float32),)
        sound = (
            log_mel.dtype == np.float32
            and log_mel.ndim == 2
            and log_mel.shape[0] == self._n_bins
            and log_mel.shape[1] > 0
            and bool(np.isfinite(log_mel).all())
            and isinstance(duration_s, float)
            and 0 < duration_s < math.inf
            and isinstance(flags, list)
            and all(flag in (SHORT, SILENT, TRUNCATED) for flag in flags)
        )
        if not sound:
            raise AudioError(name, "it made the decoder answer nonsense", CONVERT)
        assert isinstance(duration_s, float)
        assert isinstance(flags, list)
        return Clip(log_mel, duration_s, tuple(flags))


def handler(bundle: str) -> Handler:
    """What a process of the sandbox does: a job's file to the features of a clip."""
    loaded = Bundle.load(bundle, verify_files=False)  # only its front end is used
    warm_up(lambda file: extract_features(loaded, file))

    def features(job: Job) -> Reply:
        limits = {key: job.options[key] for key in ("name", "max_duration_s")}
        samples: tuple[NDArray[np.float32], ...] = ()
        if job.options["samples"]:
            waveform = as_waveform(job.file, loaded.features.sr, **limits)
            clip, samples = extract_features(loaded, waveform), (waveform.samples,)
        else:
            allowance = job.options["allowance"]
            if allowance is None:
                clip = extract_features(loaded, job.file, **limits)
            else:
                clip = _within(Allowance(**allowance), loaded, job.file, **limits)
        facts = {"duration_s": float(clip.duration_s), "flags": list(clip.flags)}
        return Reply(facts, (clip.log_mel, *samples))

    return features


def _within(
    allowance: Allowance, bundle: Bundle, file: BinaryIO, *, name: str, max_duration_s: float | None
) -> Clip:
    """The features of a clip; AudioStoppedError past the allowance."""
    end = time.process_time() + allowance.processor_s

    def stop() -> bool:
        return time.process_time() > end

    longest_s = math.inf if max_duration_s is None else max_duration_s
    short_s = min(longest_s, allowance.audio_s)
    try:
        return extract_features(bundle, file, name=name, max_duration_s=short_s, should_stop=stop)
    except AudioTooLongError as error:
        if short_s == longest_s:
            raise
        # What says of itself that it is too long for good is refused at once.
        begun = stream(
            file, name=name, max_duration_s=max_duration_s, block_s=0.1, should_stop=stop
        )
        with closing(iter(begun)) as blocks:
            next(blocks)
        raise AudioStoppedError(error.name, error.reason, error.remedy) from error
