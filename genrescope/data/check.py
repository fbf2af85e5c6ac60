"""Decode every clip of a dataset once, and say what is wrong with it and how it can be split."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from genrescope.data.folder import read_any
from genrescope.data.isolation import DecodedClip, decode_clips
from genrescope.data.splits import protocols_for, split_for
from genrescope.data.store import FeatureStore, is_store
from genrescope.data.track import Dataset, Track, mark_repeats
from genrescope.errors import DatasetError
from genrescope.progress import Progress, no_progress
from genrescope.system import n_cores


def check(
    data: str | Path, *, workers: int | None = None, progress: Progress | None = None
) -> Dataset:
    """Check labelled music by its path; see `check_dataset`, and `describe` for what to tell of it.

    Args:
        data: a folder of music, or a feature store, of which nothing is decoded.
        workers: recordings decoded at once, int > 0; all processors by default.
        progress: called after each clip.

    Raises:
        DatasetError: it cannot be read at all.
    """
    if is_store(data):
        return FeatureStore.load(data).dataset
    return check_dataset(read_any(data), workers=workers, progress=progress)


def check_dataset(
    dataset: Dataset, *, workers: int | None = None, progress: Progress | None = None
) -> Dataset:
    """Decode every clip and compare all files with each other.

    Args:
        dataset: its tracks need paths.
        workers: recordings decoded at once, int > 0; all processors by default.
        progress: called after each clip.

    Returns:
        The dataset with checksums and durations; files that hold the same bytes are marked as
        repeats, damaged ones with ``truncated``, and clips that do not decode are in `absent` and
        in `failed`.
    """
    report = progress or no_progress
    clips: list[DecodedClip] = []
    with closing(decode_clips(dataset.tracks, None, workers=workers or n_cores())) as decoding:
        for i, clip in enumerate(decoding, 1):
            clips.append(clip)
            report(i, len(dataset.tracks), clip.track.track_id)
    good = [clip.track for clip in clips if not clip.reason]
    bad = {clip.track.track_id: clip.reason for clip in clips if clip.reason}
    return Dataset(
        dataset.name, mark_repeats(good), dataset.absent | bad, dataset.failed | bad.keys()
    )


def _possible(protocol: str, dataset: Dataset) -> dict[str, Any]:
    try:
        split = split_for(protocol, dataset.tracks)
    except DatasetError as error:
        return {"impossible": str(error)}
    return {
        "folds": [{p: len(m) for p, m in fold.parts().items()} for fold in split.folds],
        "excluded": split.excluded,
        "absent": list(split.absent),
    }


def describe(dataset: Dataset) -> dict[str, Any]:
    """What a dataset holds and how each protocol that suits it would split it, JSON-ready."""
    splits: dict[str, Any] = {}
    for name, protocol in protocols_for(dataset.tracks).items():
        splits[name] = {"summary": protocol.summary, "leaky": protocol.leaky}
        splits[name] |= _possible(name, dataset)
    return {
        "name": dataset.name,
        "tracks": len(dataset.tracks),
        "duration_s": sum(track.duration or 0.0 for track in dataset.tracks),
        "genres": dict(sorted(Counter(track.genre for track in dataset.tracks).items())),
        "by_genre": _by_genre(dataset.tracks),
        "artists": len({track.artist for track in dataset.tracks if track.artist}),
        "faults": {t.track_id: list(t.faults) for t in dataset.tracks if t.faults},
        "absent": dataset.absent,
        "splits": splits,
    }


def _by_genre(tracks: tuple[Track, ...]) -> dict[str, dict[str, Any]]:
    """Figures of each genre's tracks, JSON-ready."""
    found = {}
    for genre in sorted({track.genre for track in tracks}):
        members = [track for track in tracks if track.genre == genre]
        found[genre] = {
            "tracks": len(members),
            "artists": len({track.artist for track in members if track.artist}),
            "unknown_artist": sum(track.artist is None for track in members),
            "uncertain": sum(not track.certain for track in members),
            "duration_s": sum(track.duration or 0.0 for track in members),
        }
    return found
