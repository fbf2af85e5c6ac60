"""How good a bundle or runs are on labelled music, and whether they learned from that music.

`evaluate_bundle` and `evaluate_runs` are what ``genrescope evaluate`` calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

from genrescope.audio.confined import ConfinedDecoder
from genrescope.audio.isolation import FOLDER_LIMITS
from genrescope.data.fold import PARTS, track_of
from genrescope.data.joined import BETWEEN
from genrescope.data.splits import Split
from genrescope.data.track import Track
from genrescope.errors import GenrescopeError
from genrescope.lab.evaluation.explanations import measure_explanations
from genrescope.lab.evaluation.models import Model, from_bundle, from_runs, predict_recordings
from genrescope.lab.evaluation.music import Music
from genrescope.lab.evaluation.overlap import find_overlap
from genrescope.lab.evaluation.report import (
    ExplanationReport,
    Report,
    RobustnessReport,
    Trial,
)
from genrescope.lab.evaluation.scoring import Item, items_of, score_items
from genrescope.lab.robustness import degradations
from genrescope.lab.robustness.robustness import measure_robustness
from genrescope.lab.training.run import Run, check_distinct
from genrescope.model.bundle import Bundle
from genrescope.model.classifier import Classifier
from genrescope.model.isolation import IsolatedFeatures
from genrescope.model.similar import Catalogue
from genrescope.progress import Progress


@dataclass(frozen=True)
class Selection:
    """Which clips of labelled music a bundle is measured on.

    Attributes:
        protocol: a name in `SPLITS`; the music's own by default, see `Music.split`.
        part: ``train``, ``valid`` or ``test``; the last of them that has tracks by default.
        fold: which round of the split.
        split_seed: of the split.
    """

    protocol: str | None = None
    part: str | None = None
    fold: int = 0
    split_seed: int = 0


DEFAULT = Selection()
"""The music's own protocol, and its test part if it has one."""


def evaluate_bundle(
    bundle: Bundle,
    music: Music,
    selection: Selection = DEFAULT,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Report:
    """Measure a bundle on labelled music.

    Recordings go through the whole path that ``classify`` takes, from the file on; a feature store,
    and windows and excerpts of recordings, from the features on.

    Args:
        bundle: what ships, or a folder like it.
        music: what `open_music` opened.
        selection: which clips of it.
        seed: of the bootstrap.
        progress: called after each recording.

    Raises:
        GenrescopeError: no such protocol or part, a genre that the bundle does not know, or no clip
            that can be scored.
        ValueError: the split has no such fold.
    """
    with _listening(bundle) as listener:
        trial = _trial_of_bundle(bundle, music, selection, listener, progress)
        return _report([trial], music, seed, progress)


def evaluate_runs(
    runs: Sequence[Run],
    music: Music,
    *,
    part: str | None = None,
    last: bool = False,
    window_s: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Report:
    """Measure runs on what they held out; several runs of one fold are an ensemble.

    Args:
        runs: the folds of one experiment, as many runs of each.
        music: what `open_music` opened.
        part: ``train``, ``valid`` or ``test``; the last of them that has tracks by default.
        last: take the last epoch, not the one that the valid part chose.
        window_s: of the windows that clips are cut into; as in training by default.
        seed: of the bootstrap.
        progress: called after each recording.

    Raises:
        GenrescopeError: runs of different experiments, tracks that are not in the music, or no clip
            that can be scored.
    """
    check_distinct(runs)
    of_fold: dict[int, list[Run]] = {}
    for run in runs:
        of_fold.setdefault(run.config["split"]["fold"], []).append(run)
    folds = list(of_fold.values())
    with ConfinedDecoder() as decoder:
        trials = [
            _trial_of_fold(f, music, part, decoder, last=last, window_s=window_s) for f in folds
        ]
        _check_same_experiment(folds, trials)
        return _report(trials, music, seed, progress)


def evaluate_robustness(
    bundle: Bundle,
    music: Music,
    selection: Selection = DEFAULT,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> RobustnessReport:
    """Measure a bundle on disturbed recordings: each goes through the whole path, from the file on.

    Arguments as of `evaluate_bundle`; ``seed`` is of the disturbances.

    Raises:
        GenrescopeError: as by `evaluate_bundle`, or the music is a feature store, or is split into
            windows.
        ValueError: the split has no such fold.
    """
    with _listening(bundle) as listener:  # whose answers nobody asks for here
        trial = _trial_of_recordings(bundle, music, selection, listener, progress)
    robustness = measure_robustness(
        [item.track for item in trial.items],
        bundle.labels,
        Classifier.load(bundle).classify,
        names=degradations.DEGRADATIONS,
        seed=seed,
        progress=progress,
    )
    return RobustnessReport(robustness.rows, {**music.failed, **robustness.failed}, trial)


def evaluate_explanations(
    bundle: Bundle,
    music: Music,
    selection: Selection = DEFAULT,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> ExplanationReport:
    """Measure how faithful a bundle's explanations are, see `measure_explanations`.

    Arguments as of `evaluate_bundle`; ``seed`` draws the recordings.

    Raises:
        GenrescopeError: as by `evaluate_robustness`, or no recording is long enough.
        ValueError: the split has no such fold.
    """
    with _listening(bundle) as listener:
        trial = _trial_of_recordings(bundle, music, selection, listener, progress)
    tracks = [item.track for item in trial.items]
    found = measure_explanations(bundle, tracks, seed=seed, progress=progress)
    return ExplanationReport(found, trial)


@dataclass(frozen=True)
class _Listener:
    """What decodes recordings: to a bundle's features, and to samples."""

    features: IsolatedFeatures
    decoder: ConfinedDecoder


@contextmanager
def _listening(bundle: Bundle) -> Iterator[_Listener]:
    """Processes that decode; each starts when it is first needed."""
    features = IsolatedFeatures(bundle, processes=1, memory_bytes=FOLDER_LIMITS.memory_bytes)
    with closing(features.sandbox), ConfinedDecoder() as decoder:
        yield _Listener(features, decoder)


def _trial_of_recordings(
    bundle: Bundle,
    music: Music,
    selection: Selection,
    listener: _Listener,
    progress: Progress | None,
) -> Trial:
    """As `_trial_of_bundle`, for what needs whole recordings.

    Raises:
        GenrescopeError: the music is a feature store, or is split into windows.
    """
    if music.store is not None:
        raise GenrescopeError(
            f"{music.dataset.name}: is a feature store, which cannot be disturbed; name a folder "
            "of music."
        )
    trial = _trial_of_bundle(bundle, music, selection, listener, progress)
    if trial.split.starts:
        raise GenrescopeError(
            f"{trial.split.protocol}: windows of recordings cannot be disturbed; name a split of "
            "whole ones."
        )
    return trial


def _trial_of_bundle(
    bundle: Bundle,
    music: Music,
    selection: Selection,
    listener: _Listener,
    progress: Progress | None,
) -> Trial:
    """A bundle, and what it is to be measured on."""
    split = music.split(selection.protocol, seed=selection.split_seed, progress=progress)
    if selection.fold >= len(split.folds):
        raise ValueError(f"{split.protocol} has folds 0 to {len(split.folds) - 1}")
    model = from_bundle(bundle)
    part, members = _members(split, selection.fold, selection.part)
    whole_path = music.store is None and not split.starts and music.excerpts is None
    predict = (
        predict_recordings(bundle, listener.features)
        if whole_path
        else music.predictor(model, listener.decoder)
    )
    items = items_of(split, members, music.dataset.tracks, predict)
    known = [*music.dataset.tracks, *_learned(bundle)]
    return _trial(model, split, selection.fold, part, items, known)


def _report(trials: Sequence[Trial], music: Music, seed: int, progress: Progress | None) -> Report:
    items = [item for trial in trials for item in trial.items]
    if music.excerpts is not None and trials[0].split.starts:
        raise GenrescopeError(
            f"{trials[0].split.protocol}: tells of windows, which have no excerpts; name a split "
            "of whole recordings."
        )
    found = score_items(items, trials[0].labels, seed=seed, progress=progress)
    found = replace(found, failed={**music.failed, **found.failed})
    return Report(found, tuple(trials), BETWEEN.join(music.paths), music.excerpts)


def _trial(
    model: Model,
    split: Split,
    fold: int,
    part: str,
    items: Sequence[Item],
    known: Sequence[Track],
) -> Trial:
    overlap = None
    if model.learned is not None:
        measured = list({item.track.track_id: item.track for item in items}.values())
        overlap = find_overlap(model.learned, measured, known)
    return Trial(model.name, model.labels, split, fold, part, tuple(items), overlap)


def _trial_of_fold(
    runs: Sequence[Run],
    music: Music,
    part: str | None,
    decoder: ConfinedDecoder,
    *,
    last: bool,
    window_s: float | None,
) -> Trial:
    """Runs of one fold, and what they held out."""
    config = runs[0].config
    split = Split(
        config["split"]["protocol"],
        config["split"]["seed"],
        (runs[0].fold,),
        starts=config["starts"],
        excluded=config.get("excluded", {}),
        absent=tuple(config.get("absent", ())),
    )
    part, members = _members(split, 0, part)
    here = {track.track_id for track in music.dataset.tracks}
    missing = [member for member in members if track_of(member) not in here]
    if missing:
        raise GenrescopeError(
            f"{runs[0].path}: {len(missing)} of its {part} tracks are not in "
            f"{music.dataset.name}, such as {track_of(missing[0])}."
        )
    model = from_runs(runs, last=last, window_s=window_s)
    items = items_of(split, members, music.dataset.tracks, music.predictor(model, decoder))
    return _trial(model, split, config["split"]["fold"], part, items, music.dataset.tracks)


def _check_same_experiment(folds: Sequence[Sequence[Run]], trials: Sequence[Trial]) -> None:
    """Refuse runs whose figures cannot be put together.

    Raises:
        GenrescopeError: they differ in more than fold and seed, or a fold has fewer than another.
    """
    first_run, first = folds[0][0], trials[0]
    for runs, trial in zip(folds, trials, strict=True):
        for run in runs:
            facts = run.config["split"]
            same = {
                "protocol": facts["protocol"] == first.split.protocol,
                "seed of the split": facts["seed"] == first.split.seed,
                "part": trial.part == first.part,
                "tracks": run.fold.parts()[trial.part] == runs[0].fold.parts()[trial.part],
            }
            differences = [name for name, is_same in same.items() if not is_same]
            differences += run.unlike(first_run)
            if differences:
                raise GenrescopeError(
                    f"{first_run.path} and {run.path} differ in {', '.join(differences)}; name the "
                    "folds of one experiment."
                )
        if len(runs) != len(folds[0]):
            raise GenrescopeError(
                f"fold {first.fold} has {len(folds[0])} runs and fold {trial.fold} {len(runs)}; "
                "name as many for each."
            )


def _members(split: Split, fold: int, part: str | None) -> tuple[str, tuple[str, ...]]:
    """The part to measure on, and its members: test where there is one, or what was asked for."""
    parts = split.folds[fold].parts()
    chosen = part or next((name for name in reversed(PARTS) if parts[name]), "test")
    if not parts[chosen]:
        here = ", ".join(name for name in PARTS if parts[name]) or "none"
        raise GenrescopeError(
            f"{split.protocol}: no track of its {chosen} part is here; parts with tracks: {here}."
        )
    return chosen, parts[chosen]


def _learned(bundle: Bundle) -> list[Track]:
    """What a bundle tells of the tracks it was trained on: its catalogue."""
    tracks = Catalogue.load(bundle)
    columns = [column.tolist() for column in (tracks.track, tracks.genre, tracks.artist)]
    return [Track(t, genre, artist or None) for t, genre, artist in zip(*columns, strict=True)]
