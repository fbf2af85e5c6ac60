"""From a clip to a `Prediction`: probabilities over time, prediction set, flags."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genrescope.audio.decode import Source
from genrescope.audio.waveform import Waveform
from genrescope.model.bundle import Bundle
from genrescope.model.clip import Clip, as_waveform, extract_features
from genrescope.model.heads import Heads
from genrescope.model.inference import NetOutput, PreparedClip, infer, prepare, softmax
from genrescope.model.key import Key
from genrescope.model.net import BundleNet
from genrescope.model.prediction import (
    NO_BEAT,
    NO_MUSIC,
    SET,
    SHORT,
    SILENT,
    UNCERTAIN,
    Prediction,
)
from genrescope.model.prediction_sets import prediction_set
from genrescope.model.tempo import Tempo
from genrescope.progress import Progress, no_progress

if TYPE_CHECKING:
    from genrescope.model.explain import Explanation

TOO_LITTLE_S = 0.5
"""No genre is told by less, whatever the net makes of it."""


class Classifier:
    """A bundle ready to answer; one object may serve many threads at once.

    The same recording gives the same answer, bit for bit, from whichever thread. A classifier can
    be pickled: the process that receives it reads the bundle anew.

    Attributes:
        bundle: what answers.
        net: its net, from windows to logits, see `genrescope.model.inference`.
    """

    def __init__(self, bundle: Bundle, *, threads: int | None = None) -> None:
        """As `load`, for a bundle already read."""
        if threads is not None and threads < 1:
            raise ValueError(f"threads must be at least 1, not {threads}")
        self.bundle = bundle
        self._threads = threads
        self.net = BundleNet(bundle, threads=threads)
        self._heads = Heads(bundle)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickle, (self.bundle, self._threads)

    @classmethod
    def load(
        cls,
        bundle: Bundle | str | os.PathLike[str] | None = None,
        *,
        threads: int | None = None,
    ) -> Classifier:
        """Read a bundle and make its net ready.

        Args:
            bundle: its folder, or the name of one that ships with Genrescope; None takes
                ``default``.
            threads: how many work on one recording; None takes the machine's cores, 4 at most.

        Raises:
            BundleError: it is missing, damaged, or its net is not what it says.
            ValueError: ``threads`` is below 1.
        """
        ready = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
        return cls(ready, threads=threads)

    def classify(
        self,
        source: Source | Waveform,
        *,
        name: str | None = None,
        max_duration_s: float | None = None,
    ) -> Prediction:
        """Say which genre a recording is.

        Args:
            source: path, bytes or file object of an audio file of any kind, or samples.
            name: what to call it in errors, where it is not a path.
            max_duration_s: refuse longer recordings, without decoding them whole.

        Raises:
            AudioError: it cannot be decoded, or holds no sound.
            AudioTooLongError: it is longer than ``max_duration_s``.
        """
        clip = self.features(source, name=name, max_duration_s=max_duration_s)
        prediction = self.classify_features(clip)
        if isinstance(source, (str, os.PathLike)):
            return replace(prediction, path=os.fsdecode(source))
        return prediction

    def features(
        self,
        source: Source | Waveform,
        *,
        name: str | None = None,
        max_duration_s: float | None = None,
    ) -> Clip:
        """What the front end makes of a recording, see `genrescope.model.clip.extract_features`.

        Arguments and errors are those of `classify`.
        """
        return extract_features(self.bundle, source, name=name, max_duration_s=max_duration_s)

    def classify_features(self, clip: Clip, *, with_heads: bool = True) -> Prediction:
        """Say which genre a clip is, from what `features` made of it.

        Args:
            clip: made for this bundle.
            with_heads: whether tempo and key are told too; some time, for who asks often
                for the genre alone.

        Raises:
            ValueError: ``log_mel`` has another number of bins than the bundle's front end.
        """
        bundle = self.bundle
        if clip.log_mel.ndim != 2 or len(clip.log_mel) != bundle.features.n_bins:
            raise ValueError(
                f"log_mel must be ({bundle.features.n_bins}, n_frames), not {clip.log_mel.shape}"
            )
        prepared = prepare(clip.log_mel, bundle.features)
        frames = prepared.frames
        (output,) = infer([prepared], self.net, bundle.windowing)
        if SILENT in clip.flags:
            output = _nothing(output)
        assert output.steps is not None
        assert output.embedding is not None
        probs = softmax(output.logits, bundle.temperature)
        clip_probs = probs.mean(axis=0)
        starts, length = bundle.windowing.places(len(frames))
        windows = np.stack([starts, starts + length], axis=1).astype(np.float64)
        step_logits = output.steps
        if not bundle.windowing.tells_apart(step_logits.shape[1], length):
            step_logits = output.logits[:, np.newaxis]
        steps = _parts(windows, step_logits.shape[1])
        step_probs = softmax(step_logits, bundle.temperature).reshape(-1, len(bundle.labels))
        end_s = min(clip.duration_s, (frames[-1] + 1) / bundle.features.frame_rate)
        step_times = self._times(steps, frames, end_s)
        in_order = _in_order(step_times, end_s)
        flags, genres = clip.flags, tuple[str, ...]()
        tempo: Tempo | None = None
        key: Key | None = None
        if len(frames) < bundle.windowing.window_length <= clip.log_mel.shape[1]:
            flags = (*flags, SHORT)
        if SILENT not in flags:
            flags = (*flags, *self._doubts(prepared, clip.duration_s, clip_probs))
            genres = self._genres_of(clip_probs)
            if with_heads:
                tempo, key = self._heads.estimate(clip.log_mel)
            if tempo is not None and self._heads.lacks_beat(tempo):
                flags = (*flags, NO_BEAT)
        return Prediction(
            labels=bundle.labels,
            times=self._times(windows, frames, end_s),
            probs=probs.astype(np.float32),
            step_times=step_times[in_order],
            step_probs=step_probs[in_order].astype(np.float32),
            clip_probs=clip_probs.astype(np.float32),
            embedding=_direction(output.embedding).astype(np.float32),
            flags=flags,
            duration_s=clip.duration_s,
            bundle=bundle.name,
            genres=genres,
            tempo=tempo,
            key=key,
        )

    def explain(
        self,
        source: Source | Waveform,
        genre: str | None = None,
        *,
        name: str | None = None,
        max_duration_s: float | None = None,
        progress: Progress = no_progress,
    ) -> Explanation:
        """Say which parts of a recording speak for a genre, and how faithful that is.

        The recording is held in memory; its time grows with its length, 30 s of sound take about
        a hundred times what `classify` takes.

        Args:
            source: as of `classify`.
            genre: what to explain; the genre named by default.
            name: what to call it in errors, where it is not a path.
            max_duration_s: refuse longer recordings, without decoding them whole.
            progress: called with the steps done, the steps in all, and the name.

        Raises:
            AudioError: it cannot be decoded, holds no sound, or is silent.
            AudioTooLongError: it is longer than ``max_duration_s``.
            ValueError: the bundle knows no such genre.
        """
        waveform = as_waveform(
            source, self.bundle.features.sr, name=name, max_duration_s=max_duration_s
        )
        return self.explain_features(
            self.features(waveform), genre, waveform=waveform, name=name, progress=progress
        )

    def explain_features(
        self,
        clip: Clip,
        genre: str | None = None,
        *,
        waveform: Waveform | None = None,
        name: str | None = None,
        progress: Progress = no_progress,
    ) -> Explanation:
        """As `explain`, from what `features` made of a recording.

        Args:
            clip: the features.
            genre: as of `explain`.
            waveform: the recording at the front end's rate, where its parts are to be heard.
            name: as of `explain`.
            progress: as of `explain`.
        """
        from genrescope.model.explain import explain

        return explain(
            self.bundle, self.net, clip, self.classify_features(clip), waveform=waveform,
            genre=genre, name=name or "recording", progress=progress,
        )  # fmt: skip

    def _doubts(
        self, prepared: PreparedClip, duration_s: float, clip_probs: NDArray[np.float64]
    ) -> Iterator[str]:
        bundle = self.bundle
        unsure = clip_probs.max() < bundle.thresholds.get(UNCERTAIN, 0.0)
        sounds_s = len(prepared.frames) / bundle.features.frame_rate
        if unsure or min(duration_s, sounds_s) < TOO_LITTLE_S:
            yield UNCERTAIN
        if bundle.no_music is not None:
            score = bundle.no_music.score(prepared.features, frame_rate=bundle.features.frame_rate)
            if score > bundle.no_music.threshold:
                yield NO_MUSIC

    def _genres_of(self, clip_probs: NDArray[np.float64]) -> tuple[str, ...]:
        if SET not in self.bundle.thresholds:
            return ()
        inside = prediction_set(clip_probs, self.bundle.thresholds[SET])
        return tuple(self.bundle.labels[i] for i in inside)

    def _times(
        self, spans: NDArray[np.float64], frames: NDArray[np.int64], end_s: float
    ) -> NDArray[np.float64]:
        """Start and end in s, (n, 2), of spans of the ``frames`` that a clip was left with."""
        # A span ends where its last frame does, not where the one after a silence begins.
        within = np.stack([np.floor(spans[:, 0]), np.ceil(spans[:, 1]) - 1], axis=1)
        within = np.clip(within, 0, len(frames) - 1).astype(np.int64)
        at: NDArray[np.float64] = frames[within] + (spans - within)
        return np.minimum(at / self.bundle.features.frame_rate, end_s)


def _unpickle(bundle: Bundle, threads: int | None) -> Classifier:
    return Classifier(bundle, threads=threads)


def _nothing(output: NetOutput) -> NetOutput:
    """An output of zeros in the shape of another: every class alike, and no direction."""
    assert output.steps is not None
    assert output.embedding is not None
    zeros = np.zeros_like
    return NetOutput(zeros(output.logits), zeros(output.steps), zeros(output.embedding))


def _direction(embeddings: NDArray[Any]) -> NDArray[np.float64]:
    """The windows' embeddings (n_windows, d) as one vector (d,) of length 1, or 0 if all are 0."""
    total = embeddings.sum(axis=0, dtype=np.float64)
    direction: NDArray[np.float64] = total / max(float(np.linalg.norm(total)), 1e-12)
    return direction


def _parts(windows: NDArray[np.float64], n_steps: int) -> NDArray[np.float64]:
    """Start and end of the equal parts of each window, (n_windows x n_steps, 2)."""
    edges = windows[:, :1] + (windows[:, 1:] - windows[:, :1]) * np.arange(n_steps + 1) / n_steps
    return np.stack([edges[:, :-1], edges[:, 1:]], axis=2).reshape(-1, 2)


def _in_order(times: NDArray[np.float64], end_s: float) -> NDArray[np.int64]:
    """Indices of the steps that begin before the sound ends, by their centres.

    Windows may overlap, and a short clip is repeated to fill one: what lies past its end is no
    time of its own.
    """
    order = np.argsort(times.mean(axis=1), kind="stable")
    within: NDArray[np.int64] = order[times[order, 0] < end_s]
    return within
