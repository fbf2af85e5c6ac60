"""Polishing strangers' recordings in processes of their own (`genrescope.sandbox`)."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np

from genrescope.audio.decode import decode_channels
from genrescope.audio.isolation import CONVERT, ask
from genrescope.errors import AudioError
from genrescope.mastering.loudness import loudness
from genrescope.mastering.polish import polish
from genrescope.sandbox import Sandbox
from genrescope.sandbox_worker import Handler, Job, Reply
from genrescope.web.encoding import FORMS

NICENESS = 10
"""How far what works on recordings stands back: a new request is always taken at once."""


@dataclass(frozen=True)
class PolishedSound:
    """A polished recording: the bytes of its file and what they are, loudness before and after
    (LUFS), peak (dBFS)."""

    data: bytes
    media_type: str
    lufs_before: float
    lufs_after: float
    peak_db: float


class Polisher:
    """Processes that polish.

    Args:
        processes: recordings polished at once.
        memory_bytes: what polishing one may take.
    """

    def __init__(self, *, processes: int, memory_bytes: int) -> None:
        self.sandbox = Sandbox(
            "genrescope.web.polishing:handler",
            {},
            processes=processes,
            memory_bytes=memory_bytes,
            niceness=NICENESS,
        )

    def polish(
        self, data: bytes, form: str, *, name: str, max_duration_s: float, deadline: float
    ) -> PolishedSound:
        """The polished version of a recording, as one of `FORMS`.

        Args:
            deadline: when to give up, by `time.monotonic`.

        Raises:
            AudioError: it cannot be used, or ended the process that tried.
            AudioTooLongError: it is longer than ``max_duration_s``.
            JobTimeoutError: it was not done by the deadline.
        """
        options = {"max_duration_s": max_duration_s, "form": form}
        reply = ask(self.sandbox, data, options, name=name, deadline=deadline)
        try:
            (sound,) = reply.arrays
            levels = [float(reply.facts[level]) for level in ("before", "after", "peak")]
        except (KeyError, TypeError, ValueError) as error:
            raise AudioError(name, "it made the decoder answer nonsense", CONVERT) from error
        return PolishedSound(sound.tobytes(), FORMS[form][0], *levels)


def handler() -> Handler:
    """What a process of the sandbox does: a job's file to its polished version."""
    noise = np.random.default_rng(0).normal(0, 0.1, (22_050, 2)).astype(np.float32)
    files = [encode(noise, 22_050) for _, encode in FORMS.values()]  # so that each library is there
    for form, file in zip(FORMS, files, strict=True):
        _polish(Job(io.BytesIO(file), {"form": form}))
    return _polish


def _polish(job: Job) -> Reply:
    name, longest_s = job.options.get("name"), job.options.get("max_duration_s")
    channels, sr = decode_channels(job.file, max_duration_s=longest_s, name=name)
    # As it plays: one channel comes from both loudspeakers.
    played = channels[:, :2].T if channels.shape[1] > 1 else np.repeat(channels.T, 2, axis=0)
    before = loudness(played, sr)
    try:
        done = polish(channels, sr)
    except ValueError as error:
        raise AudioError(str(name), str(error), "Send another recording.") from error
    _, encode = FORMS[job.options["form"]]
    sound = np.frombuffer(encode(done.samples, done.sr), np.uint8)
    return Reply({"before": before, "after": done.lufs, "peak": done.peak_db}, (sound,))
