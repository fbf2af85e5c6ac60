"""Feature stores of every input, so that nets and baselines of any input read their clips alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from genrescope.audio.decode import decode
from genrescope.audio.meter import Meter
from genrescope.data.build import build_store
from genrescope.data.store import FeatureStore
from genrescope.data.track import SILENCE, Dataset, decoded, mark_repeats
from genrescope.errors import AudioError, DatasetError, GenrescopeError
from genrescope.features.config import CONFIGS, WAVEFORM_CONFIG, FeatureConfig
from genrescope.progress import Progress, no_progress


def make_store(
    dataset: Dataset,
    kind: str,
    cache: Path,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> FeatureStore:
    """The features of a data set: read from ``cache``, or computed into it.

    Stopped, it goes on where it was. Waveforms are held in memory and not kept: one minute takes
    2.6 MB.

    Args:
        dataset: its tracks need paths.
        kind: of the features, a name in `genrescope.features.config.CONFIGS`.
        cache: folder of the store; waveforms have none.
        workers: processes; all processors by default.
        progress: called after each clip.

    Raises:
        DatasetError: no clip can be used, or the folder holds something else.
    """
    if kind == "waveform":
        return waveform_store(dataset, progress=progress)
    return build_store(dataset, cache, config=CONFIGS[kind], workers=workers, progress=progress)


def waveform_store(dataset: Dataset, *, progress: Progress | None = None) -> FeatureStore:
    """The waveforms of a data set, in memory: float16 (n_samples, 1) each, scaled to their peaks.

    Raises:
        DatasetError: no clip can be used.
    """
    report = progress or no_progress
    facts, clips, absent = [], [], dict(dataset.absent)
    for i, track in enumerate(dataset.tracks, 1):
        try:
            if track.path is None:
                raise AudioError(track.track_id, "no file", "Name the folder of the audio.")
            wave = decode(track.path, sr=WAVEFORM_CONFIG.sr)
            samples = wave.samples
            meter = Meter([wave])
            for _ in meter:
                pass
            if meter.is_silent:
                raise AudioError(track.track_id, SILENCE, "Leave it out.")
            found = decoded(track, track.path, duration=wave.duration, flags=wave.flags)
        except AudioError as error:
            absent[track.track_id] = error.reason
        except OSError as error:
            absent[track.track_id] = error.strerror or str(error)
        else:
            # In float16 a full-scale waveform keeps 11 bits; a quiet one would keep fewer.
            peak = np.abs(samples).max()
            clips.append((samples / peak).astype(np.float16)[:, np.newaxis])
            facts.append(found)
        report(i, len(dataset.tracks), track.track_id)
    if not facts:
        raise DatasetError(f"{dataset.name}: no clip can be used.")
    return FeatureStore(WAVEFORM_CONFIG, mark_repeats(facts), absent, dataset.name, tuple(clips))


def check_front_end(store: FeatureStore, config: FeatureConfig, *, remedy: str) -> None:
    """Refuse a store that another front end than ``config`` made.

    Raises:
        GenrescopeError: it was; ``remedy`` says what to do, one sentence.
    """
    if store.config != config:
        raise GenrescopeError(
            f"{store.name}: its features are {store.config}, and the model needs {config}. {remedy}"
        )
