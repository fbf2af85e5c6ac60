"""How a classifier's answers stand what `degradations` do to recordings."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from genrescope.audio.confined import ConfinedDecoder
from genrescope.data.track import Track
from genrescope.errors import AudioError, GenrescopeError
from genrescope.lab.metrics import score
from genrescope.lab.robustness.degradations import CLEAN, DEGRADATIONS, as_file
from genrescope.model.interval import Interval
from genrescope.model.prediction import SILENT
from genrescope.progress import Progress

Array = NDArray[Any]


class ClipAnswer(Protocol):
    """What a classifier answers for a clip; `genrescope.model.Prediction` is one."""

    @property
    def clip_probs(self) -> Array:
        """Float (n_classes,)."""

    @property
    def flags(self) -> Sequence[str]:
        """What to know about the recording, such as ``uncertain``."""


@dataclass(frozen=True)
class Degraded:
    """How a classifier fares under one degradation.

    Attributes:
        name: of the degradation, or ``clean``.
        n: tracks.
        accuracy: with its 95 % interval over tracks.
        drop: accuracy on the clean clips less this one.
        turned: share of the answers that name another genre than the clean clip's.
        sink: the genre that is named most.
        sink_share: share of the answers that name it.
        sink_truth: share of the tracks that are it.
        flagged: flag -> share of the clips that have it.
    """

    name: str
    n: int
    accuracy: Interval
    drop: float
    turned: float
    sink: str
    sink_share: float
    sink_truth: float
    flagged: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Nested dict of plain values, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Robustness:
    """What `measure_robustness` found.

    Attributes:
        rows: the clean clips first.
        failed: track ID -> why it was left out of all of them.
    """

    rows: tuple[Degraded, ...]
    failed: Mapping[str, str]


def measure_robustness(
    tracks: Sequence[Track],
    labels: Sequence[str],
    classify: Callable[[bytes], ClipAnswer],
    *,
    names: Iterable[str] = tuple(DEGRADATIONS),
    seed: int = 0,
    progress: Progress | None = None,
) -> Robustness:
    """Degrade recordings and ask a classifier about each: the whole path, from a file's bytes.

    A file that does not decode, or is silent, is left out and named.

    Args:
        tracks: with paths, of genres in ``labels``.
        labels: the classes in the order of the classifier's probabilities.
        classify: answers for a file's bytes.
        names: which degradations; the clean clips always come first.
        seed: of the degradations; each draws anew for each track.
        progress: called with the files done, the files in all, and the degradation.

    Raises:
        GenrescopeError: no tracks, none that can be classified, or one of another genre.
    """
    order = {label: i for i, label in enumerate(labels)}
    odd = [track.track_id for track in tracks if track.genre not in order]
    if odd or not tracks:
        raise GenrescopeError(f"no genre of the model: {', '.join(odd[:3]) or 'no tracks at all'}.")
    todo = [CLEAN, *names]
    answers: dict[str, list[ClipAnswer]] = {name: [] for name in todo}
    kept: list[Track] = []
    failed: dict[str, str] = {}
    with ConfinedDecoder() as decoder:
        for i, track in enumerate(tracks):
            of_track: list[ClipAnswer] = []
            try:
                for name, answer in _answers(track, todo, classify, seed, decoder):
                    if name == CLEAN and SILENT in answer.flags:
                        failed[track.track_id] = SILENT
                        break
                    of_track.append(answer)
                    if progress is not None:
                        progress(i * len(todo) + len(of_track), len(tracks) * len(todo), name)
            except AudioError as error:
                failed[track.track_id] = error.reason
            if len(of_track) == len(todo):  # all of them or none: the rows are of the same tracks
                kept.append(track)
                for name, answer in zip(todo, of_track, strict=True):
                    answers[name].append(answer)
    if not kept:
        raise GenrescopeError(f"no clip could be classified: {next(iter(failed.values()))}.")
    truth = np.array([order[track.genre] for track in kept])
    rows = [_row(name, truth, answers[name], answers[CLEAN], labels) for name in todo]
    return Robustness(tuple(rows), failed)


def _answers(
    track: Track,
    names: Iterable[str],
    classify: Callable[[bytes], ClipAnswer],
    seed: int,
    decoder: ConfinedDecoder,
) -> Iterator[tuple[str, ClipAnswer]]:
    wave = decoder.decode(str(track.path), sr=None)
    for name in names:
        rng = np.random.default_rng(
            [seed, *(zlib.crc32(s.encode()) for s in (name, track.track_id))]
        )
        yield name, classify(as_file(name, wave.samples, wave.sr, rng))


def _row(
    name: str,
    truth: Array,
    answers: Sequence[ClipAnswer],
    clean: Sequence[ClipAnswer],
    labels: Sequence[str],
) -> Degraded:
    probs, before = _probs(answers), _probs(clean)
    accuracy, accuracy_before = score(truth, probs).accuracy, score(truth, before).accuracy
    predicted = probs.argmax(axis=1)
    named = np.bincount(predicted, minlength=len(labels))
    sink = int(named.argmax())
    flags = sorted({flag for answer in answers for flag in answer.flags})
    return Degraded(
        name=name,
        n=len(truth),
        accuracy=accuracy,
        drop=accuracy_before.value - accuracy.value,
        turned=float((predicted != before.argmax(axis=1)).mean()),
        sink=labels[sink],
        sink_share=float(named[sink] / len(truth)),
        sink_truth=float((truth == sink).mean()),
        flagged={f: float(np.mean([f in answer.flags for answer in answers])) for f in flags},
    )


def _probs(answers: Sequence[ClipAnswer]) -> Array:
    probs = np.stack([answer.clip_probs for answer in answers]).astype(float)
    shares: Array = probs / probs.sum(axis=1, keepdims=True)
    return shares
