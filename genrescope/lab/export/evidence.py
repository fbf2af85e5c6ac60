"""How runs of a recipe classify clips they did not learn: the figures on a bundle's card."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrescope.data.fold import track_of
from genrescope.data.registry import known_tracks
from genrescope.data.splits import SPLITS
from genrescope.data.store import FeatureStore
from genrescope.data.track import Track
from genrescope.errors import GenrescopeError
from genrescope.features.windows import take
from genrescope.lab.export.conformal import artist_folds, measure, thresholds_of_others
from genrescope.lab.export.int8 import CALIBRATION_CLIPS, quantise
from genrescope.lab.export.onnx import onnx_net, to_onnx
from genrescope.lab.inference import predict
from genrescope.lab.metrics import by_track, calibration_error, fit_temperature, score
from genrescope.lab.nets import Net
from genrescope.lab.stores import check_front_end
from genrescope.lab.training.run import Run, ancestry
from genrescope.model import inference
from genrescope.model.inference import (
    Windowing,
    clip_probabilities,
    infer,
    prepare,
    standardised_span,
)
from genrescope.model.prediction import DOUBTS, UNLIKELY
from genrescope.model.prediction_sets import depths, in_sets


@dataclass(frozen=True)
class Evidence:
    """Held-out clips, and the logits of runs of the same recipe for them.

    Attributes:
        protocol: of the split they were held out by.
        part: the part of it.
        members: IDs (n,).
        labels: int64 (n,).
        logits: of each member's windows, (n_windows, n_classes).
        commands: that trained the runs and those they learned from.
        date: of the last of them.
    """

    protocol: str
    part: str
    members: tuple[str, ...]
    labels: NDArray[np.int64]
    logits: list[NDArray[np.float32]]
    commands: tuple[str, ...]
    date: str


def check_store(run: Run, store: FeatureStore) -> None:
    """Refuse a store that was made by another front end than a run's.

    Raises:
        GenrescopeError: the store is such.
    """
    remedy = f"Name the store that it was trained on, see {run.path}."
    check_front_end(store, run.features, remedy=remedy)


def clips_of(
    run: Run, store: FeatureStore, members: Sequence[str]
) -> Iterator[NDArray[np.float32]]:
    """Members of a store as a bundle of the run would prepare them: standardised clips.

    Args:
        run: whose front end and windows count.
        store: the features.
        members: IDs of tracks, or of windows as the run's split has them.

    Raises:
        GenrescopeError: the store was made by another front end than the run's.
    """
    check_store(run, store)
    starts = run.config["starts"]

    def clip(member: str) -> NDArray[np.float32]:
        features = store.get(track_of(member))
        if member not in starts:
            return prepare(features, store.config).standardised()
        start = starts[member]
        return standardised_span(features, (start, start + run.recipe.window_s), store.config)

    return map(clip, members)


def learned_windows(
    run: Run, store: FeatureStore, members: Sequence[str], windowing: Windowing
) -> Iterator[NDArray[np.float32]]:
    """The windows of a few of a run's members, spread over all: what sets a net's ranges.

    Args:
        run, store, members: as of `clips_of`.
        windowing: how they are cut.

    Returns:
        Of each clip float32 (n_windows, n_bins, n_frames).
    """
    few = members[:: max(1, len(members) // CALIBRATION_CLIPS)][:CALIBRATION_CLIPS]
    for clip in clips_of(run, store, few):
        starts, length = windowing.places(clip.shape[1])
        yield np.ascontiguousarray(take(clip, starts, window_length=length), np.float32)


def windowing_of(run: Run, window_s: float | None = None) -> Windowing:
    """How a bundle of a run cuts clips: side by side, by windows of ``window_s`` or its own."""
    return Windowing.of_length(run.window_frames(window_s), config=run.features)


def held_out(run: Run, parts: Sequence[str] = ("test", "valid")) -> tuple[str, tuple[str, ...]]:
    """The first of these parts that a run has, and its members.

    Raises:
        GenrescopeError: it has none of them.
    """
    members = run.fold.parts()
    for part in parts:
        if members[part]:
            return part, members[part]
    raise GenrescopeError(
        f"{run.path}: held nothing out, so it is no evidence; add runs that did, with --evidence."
    )


def gather(
    runs: Sequence[Run],
    store: FeatureStore,
    *,
    parts: Sequence[str] = ("test", "valid"),
    last: bool = False,
    window_s: float | None = None,
    int8: bool = False,
) -> list[Evidence]:
    """The logits of runs for the clips they did not learn.

    Folds of one protocol are joined; runs over the same clips are averaged, as the nets of an
    ensemble are.

    Args:
        runs: trainings with a held-out part.
        store: the features they were trained on.
        parts: of each run the first of these that holds clips.
        last: take the last epoch of each run, not the one that its valid part chose.
        window_s: length of the windows that a clip is cut into; that of the excerpts in training
            by default.
        int8: have each net answer in whole numbers, by ranges of its own training part.

    Raises:
        GenrescopeError: a run that held nothing out.
    """
    joined: dict[tuple[str, str], dict[str, list[NDArray[np.float32]]]] = {}
    sources: dict[tuple[str, str], list[Run]] = {}
    classes: dict[str, int] = {}
    genre_of = {track.track_id: track.genre for track in store.facts}
    for run in runs:
        part, members = held_out(run, parts)
        clips = clips_of(run, store, members)
        net, windowing = run.net(last=last), windowing_of(run, window_s)
        if int8:
            outputs = infer(clips, _in_whole_numbers(run, net, store, windowing), windowing)
        else:
            outputs = iter(predict(net, clips, windowing))
        key = (run.config["split"]["protocol"], part)
        sources.setdefault(key, []).append(run)
        there = joined.setdefault(key, {})
        for member, output in zip(members, outputs, strict=True):
            there.setdefault(member, []).append(output.logits)
            classes[member] = run.labels.index(genre_of[track_of(member)])
    return [
        Evidence(
            protocol,
            part,
            tuple(there),
            np.array([classes[m] for m in there]),
            [np.mean(np.stack(of_nets), axis=0) for of_nets in there.values()],
            tuple(
                record["command"] for record in ancestry(r.config for r in sources[protocol, part])
            ),
            max(run.config["date"] for run in sources[protocol, part]),
        )
        for (protocol, part), there in joined.items()
    ]


def _in_whole_numbers(
    run: Run, net: Net, store: FeatureStore, windowing: Windowing
) -> inference.Net:
    """A run's net as it would ship."""
    whole = to_onnx(net, n_bins=run.features.n_bins, n_frames=windowing.window_length)
    return onnx_net(quantise(whole, learned_windows(run, store, run.fold.train, windowing)))


def metric_rows(
    evidence: Sequence[Evidence], temperature: float, facts: Sequence[Track]
) -> list[dict[str, Any]]:
    """The rows of a bundle's metrics at track level: one for each protocol, and two for ``world``.

    Joint folds over GTZAN and other music tell of GTZAN by artists, and of the world beyond it.

    ``recall`` is the mean over the genres, whose own are in ``recalls``. ``calibration_error`` is
    that of each artist's tracks by a temperature fitted on other artists', and so are
    ``set_coverage`` and ``set_size`` of prediction sets by their threshold, on all clips of a
    protocol together; of the tracks whose set holds one genre, ``single_share`` is their share of
    all, ``single_precision`` the share of them whose genre is right, ``single_precisions`` the same
    for each genre that was named (what is sure enough for a tag, by `genrescope.library`).
    ``odd_share`` is the share of right labels that the sound would contradict. Where
    all tracks are by one artist the sets are left out and the temperature
    is the bundle's.
    """
    rows = []
    by_id = {track.track_id: track for track in facts}
    for held in evidence:
        probs = mean_probabilities(held.logits, temperature)
        names, labels, clips = by_track([track_of(m) for m in held.members], held.labels, probs)
        folds = artist_folds([by_id[name] for name in names])
        by_others, limits = clips, None
        if len(set(folds)) > 1:
            fold_of = dict(zip(names, folds, strict=True))
            by_others = _probs_by_others(held, [fold_of[track_of(m)] for m in held.members])
            limits = thresholds_of_others(labels, clips, folds)
        genre_of = {int(k): by_id[name].genre for k, name in zip(labels, names, strict=True)}
        for protocol, here in _row_sets(held.protocol, names):
            scores, sets = score(labels[here], clips[here]), {}
            if limits is not None:
                found = measure(labels[here], clips[here], limits[here])
                sets = {"set_coverage": round(found.coverage, 3), "set_size": round(found.size, 2)}
                alone = in_sets(clips[here], limits[here]).sum(axis=1) == 1
                sets |= _of_single_sets(labels[here], clips[here], alone, genre_of)
                own = clips[here][np.arange(len(here)), labels[here]]
                outside = depths(labels[here], clips[here]) > limits[here]
                sets["odd_share"] = round(float((outside & (own < UNLIKELY)).mean()), 3)
            hits = clips[here].argmax(axis=1) == labels[here]
            genres = np.array([by_id[names[i]].genre for i in here])
            rows.append(
                {
                    "protocol": protocol,
                    **({"leaky": True} if SPLITS[held.protocol].leaky else {}),
                    "part": held.part,
                    "level": "track",
                    "n": scores.n,
                    "accuracy": scores.accuracy.value,
                    "low": scores.accuracy.low,
                    "high": scores.accuracy.high,
                    "recall": round(scores.recall.value, 3),
                    "recalls": {
                        str(genre): round(float(hits[genres == genre].mean()), 2)
                        for genre in np.unique(genres)
                    },
                    "f1": scores.f1.value,
                    "calibration_error": calibration_error(labels[here], by_others[here]),
                    **sets,
                    "command": "; ".join(held.commands),
                    "date": held.date,
                }
            )
    return rows


def _of_single_sets(
    labels: NDArray[np.int64],
    probs: NDArray[np.floating],
    alone: NDArray[np.bool_],
    genre_of: dict[int, str],
) -> dict[str, Any]:
    """What is right of the answers that leave one genre."""
    if not alone.any():
        return {"single_share": 0.0}
    named = probs.argmax(axis=1)
    right = named == labels
    return {
        "single_share": round(float(alone.mean()), 3),
        "single_precision": round(float(right[alone].mean()), 3),
        "single_precisions": {
            genre_of[int(k)]: round(float(right[alone & (named == k)].mean()), 2)
            for k in np.unique(named[alone])
            if int(k) in genre_of
        },
    }


def _row_sets(protocol: str, names: Sequence[str]) -> list[tuple[str, NDArray[np.int64]]]:
    """What the tracks of a protocol are evidence for, and the places of those tracks."""
    places = np.arange(len(names))
    if protocol != "world":
        return [(protocol, places)]
    known = np.array([name in known_tracks() for name in names])
    rows = [("artists", places[known]), ("world", places[~known])]
    return [(name, here) for name, here in rows if len(here)]


def degradation_rows(path: Path, evidence: Sequence[Run]) -> list[dict[str, Any]]:
    """The rows of a bundle's degradations from what ``evaluate --degrade --json`` printed.

    Args:
        path: of the file.
        evidence: the runs whose own bundle was degraded.

    Raises:
        GenrescopeError: the file is something else, or of other genres or another protocol than
            the evidence.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        rows = [
            {
                **{key: row[key] for key in ("name", "n", "sink")},
                **{key: _share(row[key]) for key in ("drop", "sink_share")},
                "accuracy": _share(row["accuracy"]["value"]),
                "low": _share(row["accuracy"]["low"]),
                "high": _share(row["accuracy"]["high"]),
                "flagged": {flag: _share(row["flagged"].get(flag, 0.0)) for flag in DOUBTS},
            }
            for row in report["degradations"]
        ]
        protocol = report["split"]["protocol"]
        if not rows:
            raise ValueError("no rows")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise GenrescopeError(f"{path}: not what evaluate --degrade --json prints.") from None
    protocols = {run.config["split"]["protocol"] for run in evidence}
    strange = sorted({row["sink"] for row in rows}.difference(*(run.labels for run in evidence)))
    if strange or protocol not in protocols:
        raise GenrescopeError(
            f"{path}: is about {', '.join(strange) or protocol}, and the evidence about "
            f"{', '.join(evidence[0].labels if strange else sorted(protocols))}."
        )
    return rows


def mean_probabilities(
    logits: Sequence[NDArray[np.float32]], temperature: float = 1.0
) -> NDArray[np.float64]:
    """Probabilities of clips, (n, n_classes), from the logits of the windows of each."""
    return np.stack([clip_probabilities(of_clip, temperature) for of_clip in logits])


def _share(value: Any) -> float:
    number = float(value)
    if not -1 <= number <= 1:
        raise ValueError(f"{value} is no share")
    return number


def _probs_by_others(evidence: Evidence, folds: Sequence[int]) -> NDArray[np.float64]:
    """Probabilities of tracks, each by the temperature that the other folds ask for."""
    logits, labels = evidence.logits, evidence.labels
    probs = np.empty((len(logits), logits[0].shape[1]))
    for fold in set(folds):
        inside = np.array(folds) == fold
        temperature = fit_temperature([logits[i] for i in np.flatnonzero(~inside)], labels[~inside])
        probs[inside] = mean_probabilities([logits[i] for i in np.flatnonzero(inside)], temperature)
    return by_track([track_of(member) for member in evidence.members], labels, probs)[2]
