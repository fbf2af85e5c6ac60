"""Labelled music to evaluate on: feature stores, or recordings in folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from genrescope.audio.confined import ConfinedDecoder
from genrescope.data.check import check_dataset
from genrescope.data.folder import read_any
from genrescope.data.joined import join
from genrescope.data.registry import dataset_of
from genrescope.data.splits import SPLITS, Split, everything, split_for
from genrescope.data.store import FeatureStore, is_store
from genrescope.data.track import Dataset
from genrescope.errors import DatasetError
from genrescope.lab.evaluation.models import (
    Excerpts,
    Model,
    Predictor,
    audio_features,
    predict_features,
    store_features,
)
from genrescope.progress import Progress


@dataclass
class Music:
    """Labelled music, as features or as files.

    Attributes:
        paths: where it lies.
        dataset: its tracks.
        store: their features; None for recordings.
        excerpts: what is heard of each track; None for all of it.
        failed: files that no split has, since they do not decode -> why.
    """

    paths: tuple[str, ...]
    dataset: Dataset
    store: FeatureStore | None
    excerpts: Excerpts | None = None
    failed: dict[str, str] = field(default_factory=dict)

    def predictor(self, model: Model, decoder: ConfinedDecoder) -> Predictor:
        """The model's answers for what is here; recordings are decoded by ``decoder``."""
        features = audio_features(model.config, decoder)
        if self.store is not None:
            features = store_features(self.store, model.config)
        if self.excerpts is not None:
            features = self.excerpts.cut(features, model.config)
        return predict_features(model, features)

    def split(
        self,
        protocol: str | None,
        *,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Split:
        """Split it; recordings are decoded first where the protocol needs lengths or checksums.

        Args:
            protocol: a name in `SPLITS`; by default that of the dataset, or ``all`` for music
                that is no known one.
            seed: of the split.
            progress: called after each recording that is decoded for it.

        Raises:
            DatasetError: the music cannot be split so.
        """
        ids = tuple(track.track_id for track in self.dataset.tracks)
        if protocol is None:
            dataset = dataset_of(ids)
            protocol = dataset.protocol if dataset else "all"
        if protocol not in SPLITS:
            raise DatasetError(f"no protocol {protocol!r}; there are {', '.join(SPLITS)}.")
        if not SPLITS[protocol].holds_back:  # nothing is learned here, and all of it is measured
            return everything(self.dataset.tracks, part="test", seed=seed)
        # Windows need lengths, and what keeps tracks together the files that are the same twice.
        if SPLITS[protocol].published is None and self.store is None:
            checked = check_dataset(self.dataset, progress=progress)
            self.failed = {i: checked.absent[i] for i in ids if i in checked.absent}
            self.dataset = checked
        split = split_for(protocol, self.dataset.tracks, seed=seed)
        return replace(split, absent=tuple(t for t in split.absent if t not in set(ids)))


def open_music(paths: Sequence[Path], *, excerpts: Excerpts | None = None) -> Music:
    """Open feature stores, which are measured together, or one folder of recordings.

    Args:
        paths: the stores, or the folder.
        excerpts: what is to be heard of each track; None for all of it.

    Raises:
        DatasetError: there is none, it is damaged, or there are several and some are no stores.
    """
    names = tuple(map(str, paths))
    if all(map(is_store, paths)):
        store = join([FeatureStore.load(path) for path in paths])
        return Music(names, store.dataset, store, excerpts)
    if len(paths) > 1:
        folder = next(path for path in paths if not is_store(path))
        raise DatasetError(
            f"{folder}: is no feature store, and only stores are measured together. Build one "
            "with `genrescope dataset build`, or name this folder alone."
        )
    return Music(names, read_any(paths[0]), None, excerpts)
