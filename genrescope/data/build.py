"""Build a feature store from audio: in parallel, resumable, one bad file at a time.

The store is a folder:

- ``features.f16``: float16 frames (n_frames_in_all, n_bins), clip after clip, in dB (steps of
  0.06 dB at most);
- ``journal.jsonl``: the FeatureConfig, then a line for each clip as it is written, from which an
  interrupted build goes on;
- ``store.json``: the index, written when all is done, which `FeatureStore.load` reads.
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genrescope.data.download import disk_error
from genrescope.data.folder import read_any
from genrescope.data.isolation import DecodedClip, decode_clips, file_stat
from genrescope.data.store import (
    FEATURES_NAME,
    FORMAT,
    INDEX_NAME,
    JOURNAL_NAME,
    FeatureStore,
    track_to_dict,
)
from genrescope.data.track import Dataset, Track
from genrescope.errors import DatasetError
from genrescope.features.config import STORE_CONFIG, FeatureConfig
from genrescope.files import atomic_write, exclusive_lock
from genrescope.progress import Progress, no_progress
from genrescope.system import n_cores

Row = dict[str, Any]
_PLACE = ("offset", "n_frames", "stat")
"""What a row of the journal says of a clip besides the facts of its track."""


@dataclass(frozen=True)
class Built:
    """What `build_from_folder` made.

    Attributes:
        store: the features.
        failed: files that are there and have no features -> why.
        absent: what the dataset should hold and is not there -> why.
    """

    store: FeatureStore
    failed: dict[str, str]
    absent: dict[str, str]


def build_from_folder(
    folder: str | Path,
    out: str | Path,
    *,
    config: FeatureConfig | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Built:
    """Compute the features of a folder of music, see `build_store` and `read_any`.

    Raises:
        DatasetError: as from those two.
    """
    dataset = read_any(folder)
    store = build_store(dataset, out, config=config, workers=workers, progress=progress)
    absent = {name: why for name, why in dataset.absent.items() if name not in dataset.failed}
    failed = {name: why for name, why in store.absent.items() if name not in absent}
    return Built(store, failed, absent)


def build_store(
    dataset: Dataset,
    out: str | Path,
    *,
    config: FeatureConfig | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> FeatureStore:
    """Compute the features of every clip and keep them in the folder ``out``.

    Stopped at any moment, it goes on where it was; called again, it computes what is new or
    changed and tries again what failed.

    Args:
        dataset: its tracks need paths.
        config: of the features; by default what the shipped model uses.
        workers: recordings decoded at once, int > 0; all processors by default.
        progress: called after each clip.

    Returns:
        The store; clips that failed are in its `absent`, with the reason.

    Raises:
        DatasetError: ``out`` holds features of another configuration, or another build writes to
            it; no clip can be used; the disk is full.
    """
    out, config = Path(out), config or STORE_CONFIG
    workers = workers or n_cores()
    report = progress or no_progress
    try:
        out.mkdir(parents=True, exist_ok=True)
        with exclusive_lock(out) as alone:
            if not alone:
                raise DatasetError(
                    f"{out}: another build is writing to it; wait for its end, or name another "
                    "folder."
                )
            _build(dataset, out, config, workers, report)
            return FeatureStore.load(out)
    except OSError as error:
        raise disk_error(error, out) from error


def _build(
    dataset: Dataset, out: Path, config: FeatureConfig, workers: int, report: Progress
) -> None:
    done = _resume(out, config)
    todo = [
        track
        for track in dataset.tracks
        if track.track_id not in done or done[track.track_id]["stat"] != file_stat(track)
    ]
    n_done = len(dataset.tracks) - len(todo)
    failed = dict(dataset.absent)
    with (
        (out / JOURNAL_NAME).open("a") as journal,
        (out / FEATURES_NAME).open("ab") as file,
        closing(decode_clips(todo, config, workers=workers)) as clips,
    ):
        for i, clip in enumerate(clips, 1):
            track_id = clip.track.track_id
            if clip.reason:
                failed[track_id] = clip.reason
            else:
                done[track_id] = _append(clip, file, journal, config)
            report(n_done + i, len(dataset.tracks), track_id)
    rows = [
        done[t.track_id]
        | {"genre": t.genre, "artist": t.artist, "title": t.title, "certain": t.certain}
        | {"path": _path(t)}
        for t in dataset.tracks
        if t.track_id not in failed
    ]
    if not rows:
        why = next(iter(failed.items()), ("it", "it has no tracks"))
        raise DatasetError(f"{dataset.name}: no clip can be used; {why[0]}: {why[1]}.")
    _write_index(out, config, rows, failed)


def _path(track: Track) -> str | None:
    return str(track.path.resolve()) if track.path is not None else None


def _append(clip: DecodedClip, file: Any, journal: Any, config: FeatureConfig) -> Row:
    assert clip.frames is not None
    track = replace(clip.track, path=clip.track.path and clip.track.path.resolve())
    row = track_to_dict(track) | {
        "offset": file.tell() // (2 * config.n_bins),
        "n_frames": len(clip.frames),
        "stat": clip.stat,
    }
    file.write(clip.frames.tobytes())
    file.flush()  # the frames first: a line of the journal stands for frames that are there
    journal.write(json.dumps(row) + "\n")
    journal.flush()
    return row


def _resume(out: Path, config: FeatureConfig) -> dict[str, Row]:
    """What an earlier build wrote, by track ID; cuts off what it left half written."""
    journal, features = out / JOURNAL_NAME, out / FEATURES_NAME
    head = _head(config)
    text = journal.read_text(encoding="utf-8", errors="replace") if journal.exists() else ""
    lines = text.splitlines()
    rows = [row for row in map(_parse, lines) if row is not None]
    if rows and not _is_of(rows[0], config):
        raise DatasetError(
            f"{out}: holds features of another configuration ({rows[0].get('config')}). Name "
            "another folder, or delete this one."
        )
    others = [p for p in out.iterdir() if p.name not in (JOURNAL_NAME, FEATURES_NAME)]
    if not rows and (others or len(lines) > 1):
        raise DatasetError(f"{out}: is not empty and no feature store; name another folder.")
    n_frames = features.stat().st_size // (2 * config.n_bins) if features.exists() else 0
    kept = [row for row in rows[1:] if row["offset"] + row["n_frames"] <= n_frames]
    text = "".join(json.dumps(row) + "\n" for row in [head, *kept])
    with atomic_write(journal) as part:
        part.write_text(text, encoding="utf-8")
    end = max((row["offset"] + row["n_frames"] for row in kept), default=0)
    with features.open("ab") as file:
        file.truncate(end * 2 * config.n_bins)
    return {row["track_id"]: row for row in kept}


def _head(config: FeatureConfig) -> Row:
    """The first line of a journal."""
    return {"format": FORMAT, "config": config.to_dict()}


def _is_of(head: Row, config: FeatureConfig) -> bool:
    """Whether a journal that begins so holds features of this configuration."""
    try:
        return head["format"] == FORMAT and FeatureConfig.from_dict(head["config"]) == config
    except (KeyError, TypeError, ValueError):
        return False


def _parse(line: str) -> Row | None:
    """A line of a journal; None of the one at which the earlier build was stopped."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    known = isinstance(row, dict) and ("config" in row or {"track_id", *_PLACE} <= row.keys())
    return row if known else None


def _write_index(out: Path, config: FeatureConfig, rows: list[Row], absent: dict[str, str]) -> None:
    index = _head(config) | {"tracks": rows, "absent": absent}
    with atomic_write(out / INDEX_NAME) as part:
        part.write_text(json.dumps(index, indent=1), encoding="utf-8")
