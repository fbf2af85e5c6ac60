"""Feature stores of every input, so that nets and baselines of any input read their clips alike."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from genrescope.data.build import build_store
from genrescope.data.isolation import decode_clips
from genrescope.data.store import FeatureStore
from genrescope.data.track import Dataset, mark_repeats
from genrescope.errors import DatasetError, GenrescopeError
from genrescope.features.config import CONFIGS, WAVEFORM_CONFIG, FeatureConfig
from genrescope.progress import Progress, no_progress
from genrescope.system import n_cores


def make_store(
    dataset: Dataset,
    kind: str,
    cache: Path,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> FeatureStore:
    """The features of a dataset: read from ``cache``, or computed into it.

    Stopped, it goes on where it was. Waveforms are held in memory and not kept: one minute takes
    2.6 MB.

    Args:
        dataset: its tracks need paths.
        kind: of the features, a name in `genrescope.features.config.CONFIGS`.
        cache: folder of the store; waveforms have none.
        workers: recordings decoded at once; all processors by default.
        progress: called after each clip.

    Raises:
        DatasetError: no clip can be used, or the folder holds something else.
    """
    if kind == "waveform":
        return waveform_store(dataset, workers=workers, progress=progress)
    return build_store(dataset, cache, config=CONFIGS[kind], workers=workers, progress=progress)


def waveform_store(
    dataset: Dataset, *, workers: int | None = None, progress: Progress | None = None
) -> FeatureStore:
    """The waveforms of a dataset, in memory: float16 (n_samples, 1) each, scaled to their peaks.

    Args:
        dataset: its tracks need paths.
        workers: recordings decoded at once; all processors by default.
        progress: called after each clip.

    Raises:
        DatasetError: no clip can be used.
    """
    report = progress or no_progress
    facts, clips, absent = [], [], dict(dataset.absent)
    decoding = decode_clips(dataset.tracks, WAVEFORM_CONFIG, workers=workers or n_cores())
    with closing(decoding):
        for i, clip in enumerate(decoding, 1):
            if clip.frames is None:
                absent[clip.track.track_id] = clip.reason
            else:
                clips.append(clip.frames)
                facts.append(clip.track)
            report(i, len(dataset.tracks), clip.track.track_id)
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
