"""Feature stores: the features of a whole dataset, read from disk.

Two layouts are read:

- one ``.npz`` file with the arrays ``track`` (n,) str, ``genre`` (n,) str and ``mel``
  (n, 128, n_frames) uint8, made at ``STORE_CONFIG``; artists, titles and how certain the genres
  are come from the known dataset whose tracks these are, or from the tables beside the file
  (`genrescope.data.facts`);
- the folder which `genrescope.data.build` writes, opened as a memory map, for sets of any size
  and clips of any length.
"""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrescope.data.facts import facts_beside
from genrescope.data.registry import dataset_of
from genrescope.data.track import Dataset, Track, mark_repeats
from genrescope.errors import DatasetError
from genrescope.features.config import STORE_CONFIG, FeatureConfig

INDEX_NAME = "store.json"
FEATURES_NAME = "features.f16"
JOURNAL_NAME = "journal.jsonl"
FORMAT = 1


@dataclass(frozen=True, eq=False)
class FeatureStore:
    """The features of every clip of a dataset.

    Attributes:
        config: how the features were made.
        facts: the tracks in order, with genre, artist and duration; files that hold the same
            bytes are marked as repeats.
        absent: track ID -> why its features are not here.
        name: where the store was read from, for messages.
        _clips: (n_frames, n_bins) each, float16 dB or uint8 levels of an ``.npz``.
    """

    config: FeatureConfig
    facts: tuple[Track, ...]
    absent: dict[str, str]
    name: str
    _clips: Sequence[NDArray[Any]]

    @staticmethod
    def load(path: str | Path) -> FeatureStore:
        """Read a store: an ``.npz`` file, or a folder written by ``genrescope dataset build``.

        Raises:
            DatasetError: there is no store, or it is damaged or unfinished.
        """
        path = Path(path)
        if not path.exists():
            raise DatasetError(f"{path}: there is no such feature store.")
        return _load_folder(path) if path.is_dir() else _load_npz(path)

    def __len__(self) -> int:
        return len(self.facts)

    def __getitem__(self, index: int) -> NDArray[np.float32]:
        """Features of one clip in dB, float32 (n_bins, n_frames)."""
        clip = self._clips[index].T
        if clip.dtype == np.uint8:
            return _decibels(clip)
        return np.ascontiguousarray(clip, dtype=np.float32)

    def get(self, track_id: str) -> NDArray[np.float32]:
        """Features of one track in dB, float32 (n_bins, n_frames).

        Raises:
            DatasetError: the track is not in this store.
        """
        if track_id not in self._index:
            reason = self.absent.get(track_id, "it is no track of this dataset")
            raise DatasetError(f"{self.name}: no features of {track_id}: {reason}.")
        return self[self._index[track_id]]

    @cached_property
    def _index(self) -> dict[str, int]:
        return {track.track_id: i for i, track in enumerate(self.facts)}

    @property
    def dataset(self) -> Dataset:
        """The tracks and what is absent, as of a folder of audio."""
        return Dataset(self.name, self.facts, self.absent)

    @cached_property
    def tracks(self) -> tuple[str, ...]:
        """Track IDs, in order."""
        return tuple(track.track_id for track in self.facts)

    @cached_property
    def genres(self) -> tuple[str, ...]:
        """The classes, in alphabetical order."""
        return tuple(sorted({track.genre for track in self.facts}))

    def of_genres(self, genres: Sequence[str]) -> FeatureStore:
        """The tracks of these genres alone; the others are absent.

        Raises:
            DatasetError: it holds no track of one of them.
        """
        unknown = [genre for genre in genres if genre not in self.genres]
        if unknown:
            raise DatasetError(
                f"{self.name}: holds no track of {unknown[0]!r}; its genres are "
                f"{', '.join(self.genres)}."
            )
        kept = [i for i, track in enumerate(self.facts) if track.genre in genres]
        left_out = {
            track.track_id: f"its genre, {track.genre}, is left out"
            for track in self.facts
            if track.genre not in genres
        }
        return replace(
            self,
            facts=tuple(self.facts[i] for i in kept),
            absent=self.absent | left_out,
            _clips=tuple(self._clips[i] for i in kept),
        )

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Class of each track, int64 (n_tracks,): its place in `genres`."""
        place = {genre: i for i, genre in enumerate(self.genres)}
        return np.array([place[track.genre] for track in self.facts], dtype=np.int64)


def is_store(path: str | Path) -> bool:
    """Whether a path is meant as a feature store and not as a folder of audio."""
    path = Path(path)
    return path.suffix == ".npz" or (path / JOURNAL_NAME).exists() or (path / INDEX_NAME).exists()


def _decibels(levels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Levels 0 to 255 as dB in [-80, 0], each at the middle of its step.

    The levels span the clip's own range, which is 80 dB unless its quietest cell lies above the
    floor: absolute level, and for such clips the scale, are unknown. Standardising a clip removes
    both.
    """
    step = np.float32((STORE_CONFIG.top_db or 80.0) / 256)
    return (levels.astype(np.float32) - np.float32(255.5)) * step


def _load_npz(path: Path) -> FeatureStore:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            track, genre, mel = (arrays[key] for key in ("track", "genre", "mel"))
    # RuntimeError is what zipfile says of a flag or a compression that it does not know.
    except (
        *(OSError, ValueError, KeyError, EOFError, RuntimeError),
        *(zipfile.BadZipFile, zlib.error),
    ) as error:
        raise DatasetError(f"{path}: not a feature store ({error}).") from error
    fit = (track.ndim, genre.ndim, mel.ndim) == (1, 1, 3) and mel.dtype == np.uint8
    if not (fit and len(track) == len(genre) == len(mel)):
        raise DatasetError(f"{path}: not a feature store (its arrays do not fit together).")
    if 0 in mel.shape:
        raise DatasetError(f"{path}: holds no clip, or none of any length.")
    if mel.shape[1] != STORE_CONFIG.n_bins:
        raise DatasetError(f"{path}: {mel.shape[1]} bands, not {STORE_CONFIG.n_bins}.")
    ids = [str(t) for t in track]
    if len(set(ids)) < len(ids):
        raise DatasetError(f"{path}: a track is in it twice.")
    dataset = dataset_of(ids)
    known = dataset.tracks if dataset else {}
    facts_of = known or facts_beside(path, ids)
    duration = mel.shape[2] / STORE_CONFIG.frame_rate
    facts = tuple(
        replace(facts_of.get(t, Track(t, str(g))), genre=str(g), duration=duration)
        for t, g in zip(ids, genre, strict=True)
    )
    absent = {t: "not in this file" for t in known if t not in set(ids)}
    return FeatureStore(STORE_CONFIG, facts, absent, str(path), tuple(mel.swapaxes(1, 2)))


def _load_folder(path: Path) -> FeatureStore:
    index_path = path / INDEX_NAME
    if not index_path.exists():
        raise DatasetError(
            f"{path}: no finished feature store is here; run `genrescope dataset build` to make "
            "or finish it."
        )
    try:
        index = json.loads(index_path.read_text(encoding="utf-8"))
        if index["format"] != FORMAT:
            raise DatasetError(
                f"{path}: feature store of format {index['format']}, not {FORMAT}; build it again."
            )
        config = FeatureConfig.from_dict(index["config"])
        # Found on reading, so that the stores of earlier versions have their repeats as well.
        facts = mark_repeats([track_from_dict(row) for row in index["tracks"]])
        spans = [(int(row["offset"]), int(row["n_frames"])) for row in index["tracks"]]
        # Behind the last clip there may be what a build left half written.
        shape = (max(start + n for start, n in spans), config.n_bins)
        if min(map(min, spans)) < 0 or (path / FEATURES_NAME).stat().st_size < 2 * math.prod(shape):
            raise ValueError(f"{FEATURES_NAME} is shorter than {INDEX_NAME} says")
        frames = np.memmap(path / FEATURES_NAME, np.float16, mode="r", shape=shape)
        absent = dict(index["absent"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DatasetError(f"{path}: damaged feature store ({error}); build it again.") from error
    clips = tuple(frames[start : start + n] for start, n in spans)
    return FeatureStore(config, facts, absent, str(path), clips)


def track_to_dict(track: Track) -> dict[str, Any]:
    """A track as JSON-ready facts."""
    return {
        "track_id": track.track_id,
        "genre": track.genre,
        "artist": track.artist,
        "title": track.title,
        "path": None if track.path is None else str(track.path),
        "checksum": track.checksum,
        "duration": track.duration,
        "faults": list(track.faults),
        "certain": track.certain,
    }


def track_from_dict(row: dict[str, Any]) -> Track:
    """The inverse of `track_to_dict`; other keys are left alone."""
    return Track(
        row["track_id"],
        row["genre"],
        artist=row["artist"],
        title=row["title"],
        path=None if row["path"] is None else Path(row["path"]),
        checksum=row["checksum"],
        duration=row["duration"],
        faults=tuple(row["faults"]),
        certain=row.get("certain", True),  # earlier versions did not ask
    )
