"""From a clip to genre probabilities: windows, net, calibration, flags."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrescope.audio.decode import Source
from genrescope.audio.waveform import Waveform
from genrescope.errors import BundleError
from genrescope.features.silence import sounding
from genrescope.features.spectrogram import standardise
from genrescope.features.windows import spread, take
from genrescope.model.bundle import Bundle
from genrescope.model.hearing import Clip, hear
from genrescope.model.prediction import (
    NO_MUSIC,
    SET,
    SHORT,
    SILENT,
    UNCERTAIN,
    Prediction,
    likely,
)
from genrescope.model.schema import MODEL
from genrescope.system import n_cores

TOO_LITTLE_S = 0.5  # no genre is told by less, whatever the net makes of it
_BATCH = 320  # frames at a time: little new memory to page in, and none that grows
_MAX_THREADS = 4  # a net this small gains nothing beyond


@dataclass(frozen=True, eq=False)
class _Heard:
    """What a net says of a clip.

    Attributes:
        logits: (n_windows, n_classes).
        steps: (n_windows, n_steps, n_classes).
        embedding: (d,), of length 1 or 0.
    """

    logits: NDArray[np.float64]
    steps: NDArray[np.float64]
    embedding: NDArray[np.float64]


class Classifier:
    """A bundle ready to answer; one object may serve many threads at once.

    The same recording gives the same answer, bit for bit, from whichever thread.
    """

    def __init__(self, bundle: Bundle, *, threads: int | None = None) -> None:
        """As `load`, for a bundle already read."""
        if threads is not None and threads < 1:
            raise ValueError(f"threads must be at least 1, not {threads}")
        self.bundle = bundle
        self._session = _session(bundle, threads or min(_MAX_THREADS, n_cores()))
        given = [output.name for output in self._session.get_outputs()]
        self._outputs = ["logits", "embedding", *(["steps"] if "steps" in given else [])]

    @classmethod
    def load(
        cls,
        bundle: Bundle | str | os.PathLike[str] | None = None,
        *,
        threads: int | None = None,
    ) -> Classifier:
        """Read a bundle and make its net ready.

        Args:
            bundle: its folder; None takes the one that ships with Genrescope.
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
        return self.classify_features(clip)

    def features(
        self,
        source: Source | Waveform,
        *,
        name: str | None = None,
        max_duration_s: float | None = None,
    ) -> Clip:
        """What the front end makes of a recording, see `genrescope.model.hearing.hear`.

        Arguments and errors are those of `classify`.
        """
        return hear(self.bundle, source, name=name, max_duration_s=max_duration_s)

    def classify_features(self, clip: Clip) -> Prediction:
        """Say which genre a clip is, from what `features` made of it.

        Raises:
            ValueError: ``log_mel`` has another number of bins than the bundle's front end.
        """
        bundle = self.bundle
        if clip.log_mel.ndim != 2 or len(clip.log_mel) != bundle.features.n_bins:
            raise ValueError(
                f"log_mel must be ({bundle.features.n_bins}, n_frames), not {clip.log_mel.shape}"
            )
        clip, frames = _without_silences(clip, bundle)
        starts, length = spread(
            len(frames), window_length=bundle.window_length, hop_length=bundle.hop_frames
        )
        heard = self._run(standardise(clip.log_mel), starts, length)
        if SILENT in clip.flags:
            heard = _Heard(*map(np.zeros_like, (heard.logits, heard.steps, heard.embedding)))
        probs = _softmax(heard.logits / bundle.temperature)
        clip_probs = probs.mean(axis=0)
        windows = np.stack([starts, starts + length], axis=1).astype(np.float64)
        steps = _parts(windows, heard.steps.shape[1])
        step_probs = _softmax(heard.steps.reshape(-1, len(bundle.labels)) / bundle.temperature)
        end_s = min(clip.duration_s, (frames[-1] + 1) / bundle.features.frame_rate)
        step_times = self._times(steps, frames, end_s)
        in_order = _in_order(step_times, end_s)
        flags, genres = clip.flags, tuple[str, ...]()
        if SILENT not in flags:
            flags = (*flags, *self._doubts(clip, clip_probs))
            genres = self._likely(clip_probs)
        return Prediction(
            labels=bundle.labels,
            times=self._times(windows, frames, end_s),
            probs=probs.astype(np.float32),
            step_times=step_times[in_order],
            step_probs=step_probs[in_order].astype(np.float32),
            clip_probs=clip_probs.astype(np.float32),
            embedding=heard.embedding.astype(np.float32),
            flags=flags,
            duration_s=clip.duration_s,
            bundle=bundle.name,
            genres=genres,
        )

    def _doubts(self, clip: Clip, clip_probs: NDArray[np.float64]) -> Iterator[str]:
        bundle = self.bundle
        unsure = clip_probs.max() < bundle.thresholds.get(UNCERTAIN, 0.0)
        sounds_s = clip.log_mel.shape[1] / bundle.features.frame_rate
        if unsure or min(clip.duration_s, sounds_s) < TOO_LITTLE_S:
            yield UNCERTAIN
        if bundle.no_music is not None:
            score = bundle.no_music.score(clip.log_mel, frame_rate=bundle.features.frame_rate)
            if score > bundle.no_music.threshold:
                yield NO_MUSIC

    def _likely(self, clip_probs: NDArray[np.float64]) -> tuple[str, ...]:
        if SET not in self.bundle.thresholds:
            return ()
        inside = likely(clip_probs, self.bundle.thresholds[SET])
        return tuple(self.bundle.labels[i] for i in inside)

    def _run(self, x: NDArray[np.float32], starts: NDArray[np.int64], length: int) -> _Heard:
        logits, steps, total = [], [], np.zeros(1)
        n_classes, at_once = len(self.bundle.labels), max(1, _BATCH // length)
        for first in range(0, len(starts), at_once):
            batch = take(x, starts[first : first + at_once], window_length=length)
            some, embeddings, *rest = self._session.run(
                self._outputs, {"log_mel": np.ascontiguousarray(batch, np.float32)}
            )
            # Bundles of before there were steps have none.
            of_steps = rest[0] if rest else some[:, None]
            expected = (len(batch), n_classes)
            if some.shape != expected or of_steps.shape[::2] != expected or not of_steps.size:
                raise BundleError(f"bundle {self.bundle.path}: {MODEL} answers in another shape")
            logits.append(some.astype(np.float64))
            steps.append(of_steps.astype(np.float64))
            total = total + embeddings.sum(axis=0, dtype=np.float64)
        joined, joined_steps = np.concatenate(logits), np.concatenate(steps)
        if not all(np.isfinite(some).all() for some in (joined, joined_steps, total)):
            raise BundleError(f"bundle {self.bundle.path}: {MODEL} answers with no numbers")
        direction = total / max(float(np.linalg.norm(total)), 1e-12)
        return _Heard(joined, joined_steps, direction)

    def _times(
        self, spans: NDArray[np.float64], frames: NDArray[np.int64], end_s: float
    ) -> NDArray[np.float64]:
        """Start and end in s, (n, 2), of spans of the ``frames`` that a clip was left with."""
        # A span ends where its last frame does, not where the one after a silence begins.
        within = np.stack([np.floor(spans[:, 0]), np.ceil(spans[:, 1]) - 1], axis=1)
        within = np.clip(within, 0, len(frames) - 1).astype(np.int64)
        at: NDArray[np.float64] = frames[within] + (spans - within)
        return np.minimum(at / self.bundle.features.frame_rate, end_s)


def _without_silences(clip: Clip, bundle: Bundle) -> tuple[Clip, NDArray[np.int64]]:
    """A clip less the frames that are silent, and which frames are left."""
    n_frames = clip.log_mel.shape[1]
    frames = sounding(clip.log_mel, frame_rate=bundle.features.frame_rate)
    if len(frames) == n_frames:
        return clip, frames
    flags = clip.flags
    if len(frames) < bundle.window_length <= n_frames:
        flags = (*flags, SHORT)
    return replace(clip, log_mel=clip.log_mel[:, frames], flags=flags), frames


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


def _softmax(x: NDArray[np.float64]) -> NDArray[np.float64]:
    e: NDArray[np.float64] = np.exp(x - x.max(axis=1, keepdims=True))
    e /= e.sum(axis=1, keepdims=True)
    return e


def _session(bundle: Bundle, threads: int) -> Any:
    """An ONNX Runtime session that honours the contract of a bundle, or BundleError."""
    import onnxruntime as ort  # a tenth of a second: only who classifies pays

    ort.disable_telemetry_events()  # where it was imported before genrescope, and on Windows
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    # Threads that wait by spinning would take the cores other files are decoded on.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        # From bytes already verified, so that the file cannot change in between.
        session = ort.InferenceSession(
            bundle.read(MODEL), options, providers=["CPUExecutionProvider"]
        )
    except BundleError as error:
        raise BundleError(f"bundle {bundle.path}: {error}") from error
    except Exception as error:  # ONNX Runtime's errors have no common class
        raise BundleError(
            f"bundle {bundle.path}: ONNX Runtime cannot load {MODEL}; it may be damaged, or made "
            "for a newer ONNX Runtime than this one"
        ) from error
    if not _honours_contract(session, bundle):
        raise BundleError(
            f"bundle {bundle.path}: {MODEL} must take log_mel (batch, {bundle.features.n_bins}, "
            f"n_frames) and give logits (batch, {len(bundle.labels)}), embedding (batch, d) and, "
            f"if any, steps (batch, n_steps, {len(bundle.labels)})"
        )
    return session


def _honours_contract(session: Any, bundle: Bundle) -> bool:
    """Whether names and fixed dimensions are right; an open dimension is a name or None."""
    shapes = {x.name: x.shape for x in (*session.get_inputs(), *session.get_outputs())}
    n_classes = len(bundle.labels)
    wanted = {"log_mel": (3, 1, bundle.features.n_bins), "logits": (2, 1, n_classes)}
    if "steps" in shapes:
        wanted["steps"] = (3, 2, n_classes)
    return (
        [x.name for x in session.get_inputs()] == ["log_mel"]
        and len(shapes.get("embedding", ())) == 2
        and all(
            len(shape := shapes.get(name, ())) == rank
            and (shape[axis] == length or not isinstance(shape[axis], int))
            for name, (rank, axis, length) in wanted.items()
        )
    )
