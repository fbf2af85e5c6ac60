"""The music that the cells are made of: all of it, or a little for a quick trial."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from genrescope.data.folder import read_any
from genrescope.data.registry import dataset_of
from genrescope.data.store import FeatureStore, is_store
from genrescope.data.track import Dataset, Track
from genrescope.errors import DatasetError
from genrescope.features.config import CONFIGS, STORE_CONFIG, FeatureConfig
from genrescope.lab.stores import make_store
from genrescope.progress import Progress
from genrescope.reproduction.cells import Data

KINDS = {"raw" if kind == "waveform" else kind: kind for kind in CONFIGS}
"""Input of a cell to the kind of features: the talk calls waveforms raw."""

_QUICK_TRACKS = 6  # of a genre
_QUICK_S = 15.0  # of each: room for five windows


@dataclass(frozen=True)
class Material:
    """What the user named: features, or music; and sound, where there is any.

    Attributes:
        store: the mel features, where they are computed already.
        music: the music to compute them from, where they are not.
        sound: music for the inputs waveform and STFT; None leaves them out.
    """

    store: FeatureStore | None
    music: Dataset | None
    sound: Dataset | None

    @property
    def tracks(self) -> tuple[Track, ...]:
        """Those of the features, or of the music to compute them from."""
        if self.store is not None:
            return self.store.facts
        assert self.music is not None
        return self.music.tracks

    @property
    def features(self) -> FeatureConfig:
        """The front end of the features."""
        return STORE_CONFIG if self.store is None else self.store.config

    def data(self, cache: Path, *, quick: bool, progress: Progress) -> Data:
        """Where each cell gets its clips from; nothing is decoded before a cell needs it.

        Args:
            cache: folder for features that are computed.
            quick: the beginnings of a few tracks of each genre alone.
            progress: called with the clips of an input whose features are computed, and its kind.
        """

        def mel() -> FeatureStore:
            store = self.store
            if store is None:
                assert self.music is not None
                store = _computed(self.music, "mel", cache / "all-mel", progress)
            return shortened(few(store, _QUICK_TRACKS), _QUICK_S) if quick else store

        def of_sound(kind: str) -> FeatureStore:
            assert self.sound is not None
            dataset = _longest(self.sound, _QUICK_TRACKS) if quick else self.sound
            store = _computed(dataset, kind, cache / f"audio-{kind}", progress)
            return shortened(store, _QUICK_S) if quick else store

        makers: dict[tuple[str, str], Callable[[], FeatureStore]] = {("all", "mel"): mel}
        makers |= {("audio", name): partial(of_sound, kind) for name, kind in KINDS.items()}
        return Data(makers)


def open_material(data: Path, audio: Path | None = None) -> Material:
    """Look at what the user named, before hours of work rest on it.

    Args:
        data: a mel feature store, or music with one sub-folder for each genre.
        audio: the same music as sound, all or a part of it; without it, ``data`` if that is music.

    Raises:
        DatasetError: it is not there or cannot be read, or is not of mel spectrograms.
    """
    sound = None if audio is None else read_any(audio)
    if not is_store(data):
        music = read_any(data)
        return Material(None, music, sound or music)
    store = FeatureStore.load(data)
    if store.config.kind != "mel":
        raise DatasetError(
            f"{data}: holds {store.config.kind}, not mel; name a store that `genrescope "
            "dataset build` made without --stft, or the folder of the music."
        )
    return Material(store, None, sound)


def few(store: FeatureStore, per_genre: int) -> FeatureStore:
    """A few tracks of each genre; see `few_tracks`."""
    chosen = few_tracks(store.facts, per_genre)
    places = [i for i, track in enumerate(store.facts) if track.track_id in chosen]
    facts = tuple(store.facts[i] for i in places)
    return replace(store, facts=facts, _clips=tuple(store._clips[i] for i in places))


def shortened(store: FeatureStore, seconds: float) -> FeatureStore:
    """The beginnings of the clips, ``seconds`` of each that is longer."""
    n_frames = max(1, round(seconds * store.config.frame_rate))
    clips = tuple(clip[:n_frames] for clip in store._clips)
    facts = tuple(
        replace(track, duration=None if track.duration is None else min(track.duration, seconds))
        for track in store.facts
    )
    return replace(store, facts=facts, _clips=clips)


def few_tracks(tracks: Sequence[Track], per_genre: int) -> frozenset[str]:
    """IDs of the first tracks of each genre, of different artists where possible.

    Of a dataset with a published split, half of them are from its train part and half from its
    valid part, so that every protocol can still be tried.
    """
    known = dataset_of(track.track_id for track in tracks)
    part_of = known.default_parts if known else {}
    met: Counter[str | None] = Counter()
    ranks = {}
    for track in tracks:
        ranks[track.track_id] = met[track.artist]
        met[track.artist] += 1
    taken: Counter[tuple[str, str]] = Counter()
    chosen = set()
    for track in sorted(tracks, key=lambda track: ranks[track.track_id]):
        part = part_of.get(track.track_id, "")
        room = per_genre if not part_of else per_genre // 2 if part in ("train", "valid") else 0
        if taken[track.genre, part] < room:
            taken[track.genre, part] += 1
            chosen.add(track.track_id)
    return frozenset(chosen)


def _longest(dataset: Dataset, per_genre: int) -> Dataset:
    """A few of the largest files of each genre: those with most sound."""

    def size(track: Track) -> int:
        return track.path.stat().st_size if track.path is not None else 0

    chosen = few_tracks(sorted(dataset.tracks, key=size, reverse=True), per_genre)
    return replace(dataset, tracks=tuple(t for t in dataset.tracks if t.track_id in chosen))


def _computed(dataset: Dataset, kind: str, cache: Path, progress: Progress) -> FeatureStore:
    def report(done: float, total: float | None, track_id: str) -> None:
        progress(done, total, kind)

    return make_store(dataset, kind, cache, progress=report)
