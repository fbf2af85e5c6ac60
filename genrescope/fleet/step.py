"""One song at a time, all of it in one place: fetch, decode in a confined process, net, answer."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from genrescope.audio.isolation import JobLimits
from genrescope.errors import AudioError
from genrescope.fleet.fetch import FetchError, fetch
from genrescope.fleet.plan import Song
from genrescope.fleet.rows import Answer
from genrescope.model.bundle import Bundle
from genrescope.model.classifier import Classifier
from genrescope.model.isolation import IsolatedFeatures
from genrescope.sandbox import JobError, JobTimeoutError

LIMITS = JobLimits(seconds=60.0, memory_bytes=2 * 2**30, audio_s=4 * 3600.0)
"""What decoding one song may cost."""

UNREADABLE, TIMEOUT, CRASHED, INTERNAL = "unreadable", "timeout", "crashed", "internal"


class Step(Protocol):
    """What answers for songs; several threads may call it."""

    def __call__(self, song: Song) -> Answer:
        """The answer for a song; one that fails is an answer as well."""

    def close(self) -> None:
        """End what it started."""


class SongStep:
    """The step that classifies.

    Sound never leaves it: what comes out of a song is a few hundred bytes. One song at a time is
    decoded and given to the net, so that a step uses one core; meanwhile others are fetched.

    Args:
        bundle: what answers.
        decoding_s: how long decoding one song may take.
        excerpt_s: how much of a long song is judged, see `genrescope.fleet.fetch.fetch`; by
            default all of it.
    """

    def __init__(
        self, bundle: Bundle, *, decoding_s: float = LIMITS.seconds, excerpt_s: float | None = None
    ) -> None:
        self._decoding_s = decoding_s
        self._excerpt_s = excerpt_s
        self._turn = threading.Lock()
        self.decoders = IsolatedFeatures(bundle, processes=1, memory_bytes=LIMITS.memory_bytes)
        self.decoders.sandbox.start()
        self._classifier = Classifier(bundle, threads=1)

    def __call__(self, song: Song) -> Answer:
        """The answer for a song.

        Raises:
            GenrescopeError: no process can be started, or such a store cannot be read: that is
                no fault of the song.
        """
        try:
            fetched = fetch(song, excerpt_s=self._excerpt_s)
            with self._turn:
                # Neither waiting for another song nor starting a process counts.
                self.decoders.sandbox.fences()
                deadline = time.monotonic() + self._decoding_s
                clip = self.decoders.features(
                    fetched.source,
                    name=song.id,
                    max_duration_s=LIMITS.audio_s,
                    deadline=deadline,
                )
                prediction = self._classifier.classify_features(clip)
            return Answer.of(song.id, prediction, duration_s=fetched.duration_s)
        except FetchError as error:
            return Answer.failed(song.id, error.code, str(error))
        except JobTimeoutError as error:
            return Answer.failed(song.id, TIMEOUT, f"{song.id}: {error.reason}.")
        except AudioError as error:
            code = CRASHED if isinstance(error.__cause__, JobError) else UNREADABLE
            return Answer.failed(song.id, code, str(error))
        except RuntimeError as error:  # what a decoder raised that no decoder should
            return Answer.failed(song.id, INTERNAL, f"{song.id}: {error}.")

    def close(self) -> None:
        self.decoders.sandbox.close()
