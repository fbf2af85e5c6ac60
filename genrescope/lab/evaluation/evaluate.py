"""How good a trained model is on labelled music, and whether it has heard that music before.

A model is anything that answers for a track (`Predict`): see `genrescope.lab.evaluation.models`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrescope.data.fold import track_of
from genrescope.data.groups import artist_keys, artists_of
from genrescope.data.registry import known_id, known_tracks
from genrescope.data.splits import Split
from genrescope.data.track import Track
from genrescope.errors import AudioError, GenrescopeError
from genrescope.lab.evaluation.models import Answer, Predict
from genrescope.lab.metrics import Scores, by_track, confusion_matrix, score
from genrescope.model.prediction import SILENT


@dataclass(frozen=True)
class Seen:
    """What a model was trained on and is now judged by.

    Attributes:
        tracks: the very tracks.
        repeats: tracks that hold the same recording as one it learned.
        artists: names of artists it learned from, of other tracks.
        untold: more tracks, of whose artists it cannot be told whether it learned from them.
    """

    tracks: tuple[str, ...]
    repeats: tuple[str, ...]
    artists: tuple[str, ...]
    untold: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.tracks or self.repeats or self.artists)

    def to_dict(self) -> dict[str, Any]:
        """Lists by name, ready for JSON."""
        return {k: list(v) for k, v in vars(self).items()}


def seen(learned: Iterable[str], judged: Sequence[Track], known: Iterable[Track] = ()) -> Seen:
    """Compare what a model learned with what it is to be judged by.

    Args:
        learned: IDs of the tracks it was trained on.
        judged: the tracks it is asked about.
        known: more tracks whose artist and repeats are known; those of known datasets always are.
    """
    facts = known_tracks() | {t.track_id: t for t in known} | {t.track_id: t for t in judged}
    learned = set(map(known_id, learned))
    others = [t for t in judged if known_id(t.track_id) not in learned]
    repeats = tuple(t.track_id for t in others if learned & set(t.repeats))
    heard = {facts[t].artist or "" for t in learned if t in facts} - {""}
    names = heard | {t.artist for t in others if t.artist}
    known_keys = artists_of(names)
    heard_keys = {key for name in heard for key in artist_keys(name, known_keys)}
    artists = {name for name in names if artist_keys(name, known_keys) & heard_keys}
    return Seen(
        tuple(t.track_id for t in judged if known_id(t.track_id) in learned),
        repeats,
        tuple(dict.fromkeys(t.artist for t in others if t.artist in artists)),
        tuple(t.track_id for t in others if not (heard and t.artist) and t.track_id not in repeats),
    )


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found.

    Attributes:
        labels: the classes.
        members: IDs of the tracks, or windows of tracks, that were answered for.
        truth: int64 (n,), their classes.
        clip_probs: float64 (n, n_classes).
        confusion: int64 (n_classes, n_classes) at track level, row = truth.
        window, track: scores at both levels, bootstrapped over tracks.
        failed: ID -> why there is no answer.
    """

    labels: tuple[str, ...]
    members: tuple[str, ...]
    truth: NDArray[np.int64]
    clip_probs: NDArray[np.float64]
    confusion: NDArray[np.int64]
    window: Scores
    track: Scores
    failed: Mapping[str, str]

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
        }


@dataclass(frozen=True)
class Question:
    """One clip to be judged by.

    Attributes:
        member: its ID in the split.
        track: the recording.
        span: start and end in s where the member is a window; None for the whole.
        predict: the model to ask.
    """

    member: str
    track: Track
    span: tuple[float, float] | None
    predict: Predict


def questions(
    split: Split, members: Sequence[str], tracks: Iterable[Track], predict: Predict
) -> list[Question]:
    """Members of a part of a split, as questions to a model."""
    known = {track.track_id: track for track in tracks}
    asked = []
    for member in members:
        start = split.starts.get(member)
        span = None if start is None else (start, start + split.window_s)
        asked.append(Question(member, known[track_of(member)], span, predict))
    return asked


def evaluate(
    asked: Sequence[Question],
    labels: Sequence[str],
    *,
    progress: Callable[[int, int, str], None] | None = None,
) -> Evaluation:
    """Ask for every clip and score the answers.

    A file that does not decode, or is silent, is left out and named.

    Args:
        asked: the clips.
        labels: the classes, in the order of the answers' probabilities.
        progress: called after each clip with how many are done, how many there are, and its ID.

    Raises:
        GenrescopeError: a genre that the model does not know, or no clip with an answer.
    """
    strange = sorted({q.track.genre for q in asked} - set(labels))
    if strange:
        raise GenrescopeError(
            f"the model does not know {', '.join(strange)}; it knows {', '.join(labels)}. Rename "
            "or move the folders of these genres."
        )
    answers: list[tuple[Question, Answer]] = []
    failed: dict[str, str] = {}
    for i, question in enumerate(asked, 1):
        try:
            answer = question.predict(question.track, question.span)
            if SILENT in answer.flags:
                failed[question.track.track_id] = SILENT
            else:
                answers.append((question, answer))
        except AudioError as error:
            failed[question.track.track_id] = error.reason
        if progress is not None:
            progress(i, len(asked), question.track.track_id)
    if not answers:
        reason = next(iter(failed.values()), "there is none")
        raise GenrescopeError(f"no clip could be judged by: {reason}.")
    tracks = [question.track.track_id for question, _ in answers]
    truth = np.array([list(labels).index(question.track.genre) for question, _ in answers])
    counts = [len(answer.probs) for _, answer in answers]
    clip_probs = np.stack([np.asarray(answer.clip_probs, np.float64) for _, answer in answers])
    _, classes, probs = by_track(tracks, truth, clip_probs)
    return Evaluation(
        labels=tuple(labels),
        members=tuple(question.member for question, _ in answers),
        truth=truth,
        clip_probs=clip_probs,
        confusion=confusion_matrix(classes, probs.argmax(axis=1), len(labels)),
        window=score(
            np.repeat(truth, counts),
            np.concatenate([np.asarray(answer.probs, np.float64) for _, answer in answers]),
            groups=np.repeat(tracks, counts).tolist(),
        ),
        track=score(classes, probs),
        failed=failed,
    )
