"""From labelled clips and a model to figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrescope.data.fold import track_of
from genrescope.data.registry import known_keys, known_tempos
from genrescope.data.splits import Split
from genrescope.data.track import Track
from genrescope.errors import AudioError, GenrescopeError
from genrescope.lab.evaluation.models import Answer, Predictor, Span
from genrescope.lab.heads.scores import figure, key_points, tempo_hits
from genrescope.lab.metrics import Scores, by_track, confusion_matrix, score
from genrescope.model.key import KEYS
from genrescope.model.prediction import SILENT
from genrescope.progress import Progress


@dataclass(frozen=True)
class Item:
    """One clip to be scored.

    Attributes:
        member: its ID in the split.
        track: the recording.
        span: start and end in s where the member is a window; None for the whole.
        predict: what answers for it.
    """

    member: str
    track: Track
    span: Span | None
    predict: Predictor


@dataclass(frozen=True)
class Evaluation:
    """The figures of a model on labelled music.

    Attributes:
        labels: the classes.
        members: IDs of the tracks, or windows of tracks, that were answered for.
        truth: int64 (n,), their classes.
        clip_probs: float64 (n, n_classes).
        confusion: int64 (n_classes, n_classes) at track level, row = truth.
        window, track: scores at both levels, bootstrapped over tracks.
        failed: ID -> why there is no answer.
        tempo, key: figures of what the model tells besides, see `tempo_and_key`; None where it
            tells none, or the tracks have no annotation.
    """

    labels: tuple[str, ...]
    members: tuple[str, ...]
    truth: NDArray[np.int64]
    clip_probs: NDArray[np.float64]
    confusion: NDArray[np.int64]
    window: Scores
    track: Scores
    failed: Mapping[str, str]
    tempo: Mapping[str, Any] | None = None
    key: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON; one row a member."""
        rows = [
            {
                "track": member,
                "genre": self.labels[truth],
                "predicted": self.labels[int(probs.argmax())],
                "confidence": round(float(probs.max()), 6),
            }
            for member, truth, probs in zip(self.members, self.truth, self.clip_probs, strict=True)
        ]
        return {
            "labels": list(self.labels),
            "window": self.window.to_dict(),
            "track": self.track.to_dict(),
            "confusion": self.confusion.tolist(),
            "tracks": rows,
            "failed": dict(self.failed),
            "tempo": None if self.tempo is None else dict(self.tempo),
            "key": None if self.key is None else dict(self.key),
        }


def tempo_and_key(
    answers: Mapping[str, Answer], *, seed: int = 0
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """``accuracy1`` and ``accuracy2`` of tempi, ``correct`` and ``weighted`` of keys.

    Args:
        answers: by the ID of the track.
        seed: of the bootstrap.

    Returns:
        Each figure with its count and interval (`genrescope.lab.heads.scores.figure`); None where
        no answer tells a tempo, or a key, of a track that is annotated.
    """
    bpm, keys = known_tempos(), known_keys()
    tempi = [
        (bpm[track], tempo.bpm)
        for track, answer in answers.items()
        if track in bpm and (tempo := getattr(answer, "tempo", None)) is not None
    ]
    found = [
        (keys[track], KEYS.index(key.name))
        for track, answer in answers.items()
        if track in keys and (key := getattr(answer, "key", None)) is not None
    ]
    of_tempi = of_keys = None
    if tempi:
        truth, estimated = np.array(tempi).T
        right, pulse = tempo_hits(truth, estimated)
        of_tempi = {"accuracy1": figure(right, seed=seed), "accuracy2": figure(pulse, seed=seed)}
    if found:
        truth, estimated = np.array(found).T
        of_keys = {
            "correct": figure(truth == estimated, seed=seed),
            "weighted": figure(key_points(truth, estimated), seed=seed),
        }
    return of_tempi, of_keys


def items_of(
    split: Split, members: Sequence[str], tracks: Iterable[Track], predict: Predictor
) -> list[Item]:
    """Members of a part of a split, each with its recording and who answers for it."""
    known = {track.track_id: track for track in tracks}
    items = []
    for member in members:
        start = split.starts.get(member)
        span = None if start is None else (start, start + split.window_s)
        items.append(Item(member, known[track_of(member)], span, predict))
    return items


def score_items(
    items: Sequence[Item],
    labels: Sequence[str],
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """Have every clip answered for and score the answers.

    A file that does not decode, or is silent, is left out and named. All windows of a recording are
    asked for at once, so that it is read once.

    Args:
        items: the clips.
        labels: the classes, in the order of the answers' probabilities.
        seed: of the bootstrap.
        progress: called with how many clips are done, how many there are, and the last track's ID.

    Raises:
        GenrescopeError: a genre that the model does not know, or no clip with an answer.
    """
    unknown = sorted({item.track.genre for item in items} - set(labels))
    if unknown:
        raise GenrescopeError(
            f"the model does not know {', '.join(unknown)}; it knows {', '.join(labels)}. Rename "
            "or move the folders of these genres."
        )
    answers: dict[int, Answer] = {}
    failed: dict[str, str] = {}
    n_done = 0
    for places in _by_recording(items):
        first = items[places[0]]
        try:
            of_spans = first.predict(first.track, [items[place].span for place in places])
        except AudioError as error:
            failed[first.track.track_id] = error.reason
        else:
            for place, answer in zip(places, of_spans, strict=True):
                if SILENT in answer.flags:
                    failed[first.track.track_id] = SILENT
                else:
                    answers[place] = answer
        n_done += len(places)
        if progress is not None:
            progress(n_done, len(items), first.track.track_id)
    if not answers:
        reason = next(iter(failed.values()), "there is none")
        raise GenrescopeError(f"no clip could be scored: {reason}.")
    answered = [(items[place], answers[place]) for place in sorted(answers)]
    return _scored(answered, labels, failed, seed)


def _by_recording(items: Sequence[Item]) -> Iterable[list[int]]:
    """Places of the items of each recording and model, in order of first appearance."""
    places: dict[tuple[str, int], list[int]] = {}
    for place, item in enumerate(items):
        places.setdefault((item.track.track_id, id(item.predict)), []).append(place)
    return places.values()


def _scored(
    answered: Sequence[tuple[Item, Answer]],
    labels: Sequence[str],
    failed: Mapping[str, str],
    seed: int,
) -> Evaluation:
    tracks = [item.track.track_id for item, _ in answered]
    truth = np.array([list(labels).index(item.track.genre) for item, _ in answered])
    counts = [len(answer.probs) for _, answer in answered]
    clip_probs = np.stack([np.asarray(answer.clip_probs, np.float64) for _, answer in answered])
    _, classes, probs = by_track(tracks, truth, clip_probs)
    whole = {item.track.track_id: answer for item, answer in answered if item.span is None}
    tempo, key = tempo_and_key(whole, seed=seed)
    return Evaluation(
        labels=tuple(labels),
        members=tuple(item.member for item, _ in answered),
        truth=truth,
        clip_probs=clip_probs,
        confusion=confusion_matrix(classes, probs.argmax(axis=1), len(labels)),
        window=score(
            np.repeat(truth, counts),
            np.concatenate([np.asarray(answer.probs, np.float64) for _, answer in answered]),
            groups=np.repeat(tracks, counts).tolist(),
            seed=seed,
        ),
        track=score(classes, probs, seed=seed),
        failed=failed,
        tempo=tempo,
        key=key,
    )
