"""Listen to every clip of a data set once and say what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from genrescope.audio.decode import stream
from genrescope.data.splits import protocols_for, split_for
from genrescope.data.track import SILENCE, Dataset, Track, decoded, mark_repeats
from genrescope.errors import AudioError, DatasetError
from genrescope.system import n_cores

Progress = Callable[[int, int, str], None]
"""Called with the clips done, the clips in all and the ID of the last."""


@dataclass(frozen=True)
class _Heard:
    track: Track
    reason: str = ""


def check_dataset(
    dataset: Dataset, *, workers: int | None = None, progress: Progress | None = None
) -> Dataset:
    """Decode every clip and compare all files with each other.

    Args:
        dataset: its tracks need paths.
        workers: threads, int > 0; all processors by default.
        progress: called after each clip.

    Returns:
        The data set with checksums and durations; files that hold the same bytes are marked as
        repeats, damaged ones with ``truncated``, and clips that do not decode are in `absent`.
    """
    report = progress or (lambda done, total, track_id: None)
    heard = []
    with ThreadPoolExecutor(workers or n_cores()) as pool:
        try:
            for i, clip in enumerate(pool.map(_hear, dataset.tracks), 1):
                heard.append(clip)
                report(i, len(dataset.tracks), clip.track.track_id)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    good = [clip.track for clip in heard if not clip.reason]
    absent = dataset.absent | {c.track.track_id: c.reason for c in heard if c.reason}
    return Dataset(dataset.name, mark_repeats(good), absent)


def _hear(track: Track) -> _Heard:
    if track.path is None:
        return _Heard(track, "no file")
    try:
        sound = stream(track.path, sr=None)
        duration, silent = 0.0, True
        for block in sound:
            duration += block.duration
            silent = silent and not block.samples.any()
        if silent:
            return _Heard(track, SILENCE)
        return _Heard(decoded(track, track.path, duration=duration, flags=sound.flags))
    except AudioError as error:
        return _Heard(track, error.reason)
    except OSError as error:
        return _Heard(track, error.strerror or str(error))


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
    """What a data set holds and how each protocol that suits it would split it, JSON-ready."""
    splits: dict[str, Any] = {}
    for name, protocol in protocols_for(dataset.tracks).items():
        splits[name] = {"summary": protocol.summary, "leaky": protocol.leaky}
        splits[name] |= _possible(name, dataset)
    return {
        "name": dataset.name,
        "tracks": len(dataset.tracks),
        "duration_s": sum(track.duration or 0.0 for track in dataset.tracks),
        "genres": dict(sorted(Counter(track.genre for track in dataset.tracks).items())),
        "artists": len({track.artist for track in dataset.tracks if track.artist}),
        "faults": {t.track_id: list(t.faults) for t in dataset.tracks if t.faults},
        "absent": dataset.absent,
        "splits": splits,
    }
