"""What a classifier says about one recording."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrescope.model.key import Key
from genrescope.model.tempo import Tempo

SILENT = "silent"  # digital silence: no label
SHORT = "short"  # shorter than one window: padded by repetition
TRUNCATED = "truncated"  # broken or cut off: what decodes was used
UNCERTAIN = "uncertain"  # confidence below the bundle's threshold
NO_BEAT = "no beat"  # no pulse that one could tap to: the tempo means little
NO_MUSIC = "no music"  # noise, tones, speech: probabilities all the same, but they mean little
DOUBTS = (UNCERTAIN, NO_MUSIC)
"""The flags of an answer not to be relied on."""

SET = "set"

UNLIKELY = 0.05
"""Probability below which a genre outside of the prediction set contradicts a label."""

APART_S = 0.4
"""Between steps: less than the shortest silence, more than rounding."""


@dataclass(frozen=True)
class Segment:
    """A stretch of a recording with one label.

    Attributes:
        start, end: seconds from the start of the clip.
        label: the genre of the stretch.
        probability: mean probability of that genre over the stretch.
    """

    start: float
    end: float
    label: str
    probability: float


@dataclass(frozen=True, eq=False)
class Prediction:
    """Genre probabilities of a clip, whole and over time.

    Attributes:
        labels: names of the classes, in the order of the arrays.
        times: float64 (n_windows, 2), start and end of each window in seconds, ascending.
        probs: float32 (n_windows, n_classes), each row sums to 1.
        step_times: float64 (n_steps, 2), as ``times``, of the steps of the timeline: parts of
            windows, or windows where the bundle's net does not tell their parts.
        step_probs: float32 (n_steps, n_classes), each row sums to 1.
        clip_probs: float32 (n_classes,), mean of ``probs`` over windows.
        embedding: float32 (d,), of length 1; zeros for a silent clip.
        flags: what to know about the recording: ``truncated``, ``short``, ``silent``,
            ``uncertain``, ``no music``, ``no beat``.
        duration_s: length of the clip in seconds.
        bundle: name of the bundle that answered.
        genres: the most probable labels, best first: so many that the true one is among them
            nine times in ten (`prediction_sets`); empty for a silent clip, or where the bundle does
            not say how many that takes.
        path: of the recording's file, for the player of a notebook; None where it is not known.
        tempo, key: None for a silent clip, or where the bundle does not tell them.
    """

    labels: tuple[str, ...]
    times: NDArray[np.float64]
    probs: NDArray[np.float32]
    step_times: NDArray[np.float64]
    step_probs: NDArray[np.float32]
    clip_probs: NDArray[np.float32]
    embedding: NDArray[np.float32]
    flags: tuple[str, ...]
    duration_s: float
    bundle: str
    genres: tuple[str, ...] = ()
    path: str | None = None
    tempo: Tempo | None = None
    key: Key | None = None

    @property
    def genre(self) -> str | None:
        """The most probable label; None for a silent clip."""
        return None if SILENT in self.flags else self.labels[int(self.clip_probs.argmax())]

    @property
    def confidence(self) -> float:
        """Probability of the most probable label."""
        return float(self.clip_probs.max())

    def ranking(self) -> list[tuple[str, float]]:
        """All labels with their probabilities, most probable first."""
        order = np.argsort(-self.clip_probs, kind="stable")
        return [(self.labels[i], float(self.clip_probs[i])) for i in order]

    def timeline(self) -> list[Segment]:
        """Labelled stretches that cover all that sounds; none for a silent clip.

        Each step speaks for the time nearest to its centre, up to a silence that no step covers;
        neighbours that agree are merged.
        """
        if SILENT in self.flags:
            return []
        centres = self.step_times.mean(axis=1)
        between = (centres[1:] + centres[:-1]) / 2
        apart = self.step_times[1:, 0] - self.step_times[:-1, 1] > APART_S
        starts = np.append(self.step_times[0, 0], np.where(apart, self.step_times[1:, 0], between))
        ends = np.append(np.where(apart, self.step_times[:-1, 1], between), self.step_times[-1, 1])
        winners = self.step_probs.argmax(axis=1)
        changes = np.flatnonzero(np.diff(winners).astype(bool) | apart) + 1
        bounds = [0, *changes.tolist(), len(winners)]
        segments = []
        for first, last in pairwise(bounds):
            label = int(winners[first])
            segments.append(
                Segment(
                    start=float(starts[first]),
                    end=float(ends[last - 1]),
                    label=self.labels[label],
                    probability=float(self.step_probs[first:last, label].mean()),
                )
            )
        return segments

    def to_dict(self) -> dict[str, Any]:
        """The answer as JSON-ready values: times to the millisecond, probabilities to 1e-6."""
        return {
            "genre": self.genre,
            "confidence": round(self.confidence, 6),
            "genres": list(self.genres),
            "probabilities": {
                label: round(float(p), 6)
                for label, p in zip(self.labels, self.clip_probs, strict=True)
            },
            "timeline": [
                {
                    "start": round(s.start, 3),
                    "end": round(s.end, 3),
                    "label": s.label,
                    "probability": round(s.probability, 6),
                }
                for s in self.timeline()
            ],
            "tempo": None if self.tempo is None else self.tempo.to_dict(),
            "key": None if self.key is None else self.key.to_dict(),
            "duration_s": round(self.duration_s, 3),
            "flags": list(self.flags),
            "bundle": self.bundle,
        }

    def _repr_html_(self) -> str:
        """What a notebook shows: bars, timeline, and a player where the file is still there."""
        from genrescope.model.notebook import sound_of, to_html

        return to_html(self, *sound_of(self.path))

    def plot(self) -> Any:
        """The bars over the timeline, as a matplotlib ``Figure``, which a notebook shows.

        Raises:
            GenrescopeError: matplotlib is not installed.
        """
        from genrescope.model.notebook import draw

        return draw(self)
