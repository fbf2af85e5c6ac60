"""``genrescope evaluate``"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from genrescope.cli import scores
from genrescope.cli.options import PATH, known_split, window_option
from genrescope.cli.scores import Task
from genrescope.cli.terminal import echo

if TYPE_CHECKING:
    from genrescope.data.splits import Split
    from genrescope.data.store import FeatureStore
    from genrescope.data.track import Dataset, Track
    from genrescope.lab.evaluation.evaluate import Seen
    from genrescope.lab.evaluation.models import Model, Predict
    from genrescope.lab.training.run import Run
    from genrescope.model.bundle import Bundle

_PARTS = ("train", "valid", "test")


@click.command()
@click.option(
    "--data",
    type=PATH,
    multiple=True,
    required=True,
    metavar="DATA",
    help="A feature store, or music with one sub-folder for each genre, which goes through the "
    "whole path from the file on. Several stores are judged together.",
)
@click.option(
    "--bundle",
    type=PATH,
    metavar="FOLDER",
    help="A bundle; the one that ships if absent.",
)
@click.option(
    "--run",
    "runs",
    type=PATH,
    multiple=True,
    metavar="RUN",
    help="A run of train instead, judged by its own split. Given several times, the answers of "
    "folds are put together, and runs of one fold are an ensemble.",
)
@click.option(
    "--last",
    is_flag=True,
    help="Of a run the last epoch, not the one its valid part chose.",
)
@window_option
@click.option(
    "--split",
    metavar="SPLIT",
    callback=known_split,
    help="windows (leaky), tracks, artists, world, fault-filtered, or all; fault-filtered for "
    "GTZAN and all for other music if absent.",
)
@click.option(
    "--part",
    metavar="PART",
    help="train, valid or test; test if it is here.",
)
@click.option(
    "--fold",
    type=click.IntRange(min=0),
    metavar="N",
    help="Which round of the split; 0 if absent.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    help="Of the split; 0 if absent.",
)
@click.option(
    "--degrade",
    "degraded",
    is_flag=True,
    help="Disturb the recordings first: rooms, microphones, noise, codecs and more, one after the "
    "other. Needs music, not a feature store, and a bundle.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object.",
)
def evaluate(
    data: tuple[Path, ...],
    bundle: Path | None,
    runs: tuple[Path, ...],
    last: bool,
    window: float | None,
    split: str | None,
    part: str | None,
    fold: int | None,
    seed: int | None,
    degraded: bool,
    as_json: bool,
) -> None:
    """Measure a model on labelled music, and say if it has heard that music before.

    Prints accuracy, macro precision, recall and F1, each with its 95 % interval (bootstrap over
    tracks), for windows and for whole tracks, the calibration error and the confusion matrix.
    """
    if part is not None and part not in _PARTS:
        raise click.BadParameter(f"there is no part {part!r}; there are {', '.join(_PARTS)}")
    if runs and bundle is not None:
        raise click.BadParameter("choose one of --bundle and --run")
    if last and not runs:
        raise click.BadParameter("--last is of runs; a bundle holds one net")
    if window is not None and not runs:
        raise click.BadParameter("--window is of runs; a bundle has its own")
    for option, wish in (("--split", split), ("--fold", fold), ("--seed", seed)):
        if runs and wish is not None:
            raise click.BadParameter(f"a run is judged by its own split; leave {option} out")
    from genrescope.lab.evaluation import evaluate as lab

    source = _open(data)
    if degraded:
        if runs or source.store is not None:
            raise click.BadParameter("--degrade needs a bundle, and music that can be disturbed")
        _degrade(bundle, source, split, part, fold or 0, seed or 0, as_json=as_json)
        return
    if runs:
        tasks = _of_runs(runs, source, part, last=last, window_s=window)
    else:
        tasks = [_of_bundle(bundle, source, split, part, fold or 0, seed or 0)]
    from genrescope.cli.dataset import _clips_bar

    asked = [question for task in tasks for question in task.asked]
    with _clips_bar(len(asked), "listening") as report:
        found = lab.evaluate(asked, tasks[0].model.labels, progress=report)
    found = replace(found, failed={**source.failed, **found.failed})
    heard = [_heard(task, source) for task in tasks]
    if as_json:
        scores.print_json(found, tasks, heard, data)
    else:
        scores.print_tables(found, tasks)
    for task, one in zip(tasks, heard, strict=True):
        scores.warn(task, one)
    for name, reason in found.failed.items():
        echo(f"{name}: {reason}; left out", err=True)


@dataclass
class _Source:
    """Labelled music: as features, or as files.

    Attributes:
        failed: files that no split has, since they cannot be heard -> why.
    """

    dataset: Dataset
    store: FeatureStore | None
    failed: dict[str, str] = field(default_factory=dict)

    def predict(self, model: Model) -> Predict:
        """The model's answers for what is here."""
        from genrescope.lab.evaluation.models import audio_features, predictor, store_features

        if self.store is not None:
            return predictor(model, store_features(self.store, model.config))
        return predictor(model, audio_features(model.config))


def _open(data: Sequence[Path]) -> _Source:
    from genrescope.data.folder import read_any
    from genrescope.data.joined import join
    from genrescope.data.store import FeatureStore, is_store

    if all(map(is_store, data)):
        store = join([FeatureStore.load(path) for path in data])
        return _Source(store.dataset, store)
    if len(data) > 1:
        raise click.BadParameter("several --data are judged together if all are feature stores")
    return _Source(read_any(data[0]), None)


def _of_bundle(
    path: Path | None, source: _Source, name: str | None, part: str | None, fold: int, seed: int
) -> Task:
    from genrescope.lab.evaluation.evaluate import questions
    from genrescope.lab.evaluation.models import from_bundle
    from genrescope.model.bundle import Bundle

    bundle = Bundle.load(path)
    model = from_bundle(bundle)
    split = _split(source, name, seed)
    if fold >= len(split.folds):
        raise click.BadParameter(f"{split.protocol} has folds 0 to {len(split.folds) - 1}")
    part, members = _members(split, fold, part)
    predict = source.predict(model)
    if source.store is None and not split.starts:
        predict = _whole_path(bundle)
    asked = questions(split, members, source.dataset.tracks, predict)
    return Task(model, split, fold, part, asked, _learned(bundle))


def _learned(bundle: Bundle) -> tuple[Track, ...]:
    """What a bundle tells of the tracks it was trained on: its catalogue."""
    from genrescope.data.track import Track
    from genrescope.model.similar import Catalogue

    tracks = Catalogue.load(bundle)
    columns = [column.tolist() for column in (tracks.track, tracks.genre, tracks.artist)]
    return tuple(Track(t, genre, artist or None) for t, genre, artist in zip(*columns, strict=True))


def _whole_path(bundle: Bundle) -> Predict:
    """What ``classify`` says of the files themselves."""
    from genrescope.model.classifier import Classifier

    classifier = Classifier.load(bundle)
    return lambda track, span: classifier.classify(str(track.path))


def _degrade(
    path: Path | None,
    source: _Source,
    name: str | None,
    part: str | None,
    fold: int,
    seed: int,
    *,
    as_json: bool,
) -> None:
    from genrescope.cli.degrade import degrade
    from genrescope.model.bundle import Bundle

    task = _of_bundle(path, source, name, part, fold, seed)
    if task.split.starts:
        raise click.BadParameter("--degrade takes whole recordings, not windows of them")
    tracks = [question.track for question in task.asked]
    degrade(Bundle.load(path), tracks, scores.about([task]), as_json=as_json)
    scores.warn(task, _heard(task, source))


def _of_runs(
    paths: Sequence[Path], source: _Source, part: str | None, *, last: bool, window_s: float | None
) -> list[Task]:
    """The folds of one experiment, a task each; several runs of a fold are an ensemble."""
    from genrescope.errors import GenrescopeError
    from genrescope.lab.training.run import Run, check_distinct

    runs = [Run.load(path) for path in paths]
    check_distinct(runs)
    of_fold: dict[int, list[Run]] = {}
    for run in runs:
        of_fold.setdefault(run.config["split"]["fold"], []).append(run)
    folds = list(of_fold.values())
    tasks = [_of_fold(some, source, part, last=last, window_s=window_s) for some in folds]
    for some, task in zip(folds, tasks, strict=True):
        for run in some:
            facts = run.config["split"]
            same = {
                "protocol": facts["protocol"] == tasks[0].split.protocol,
                "seed of the split": facts["seed"] == tasks[0].split.seed,
                "part": task.part == tasks[0].part,
                "tracks": run.fold.parts()[task.part] == some[0].fold.parts()[task.part],
            }
            unlike = [name for name, is_so in same.items() if not is_so] + run.unlike(runs[0])
            if unlike:
                raise GenrescopeError(
                    f"{runs[0].path} and {run.path} differ in {', '.join(unlike)}; name the folds "
                    "of one experiment."
                )
        if len(some) != len(folds[0]):
            raise GenrescopeError(
                f"fold {tasks[0].fold} has {len(folds[0])} runs and fold {task.fold} {len(some)}; "
                "name as many for each."
            )
    return tasks


def _of_fold(
    runs: list[Run], source: _Source, part: str | None, *, last: bool, window_s: float | None
) -> Task:
    from genrescope.data.fold import track_of
    from genrescope.data.splits import Split
    from genrescope.errors import GenrescopeError
    from genrescope.lab.evaluation.evaluate import questions
    from genrescope.lab.evaluation.models import from_runs

    config = runs[0].config
    facts = config["split"]
    split = Split(
        facts["protocol"],
        facts["seed"],
        (runs[0].fold,),
        starts=config["starts"],
        excluded=config.get("excluded", {}),
        absent=tuple(config.get("absent", ())),
    )
    part, members = _members(split, 0, part)
    here = {track.track_id for track in source.dataset.tracks}
    missing = [m for m in members if track_of(m) not in here]
    if missing:
        raise GenrescopeError(
            f"{runs[0].path}: {len(missing)} of its {part} tracks are not in "
            f"{source.dataset.name}, such as {track_of(missing[0])}."
        )
    model = from_runs(runs, last=last, window_s=window_s)
    asked = questions(split, members, source.dataset.tracks, source.predict(model))
    return Task(model, split, facts["fold"], part, asked)


def _split(source: _Source, name: str | None, seed: int) -> Split:
    from genrescope.cli.dataset import _clips_bar
    from genrescope.data.check import check_dataset
    from genrescope.data.registry import dataset_of
    from genrescope.data.splits import SPLITS, everything, split_for

    tracks = source.dataset.tracks
    ids = tuple(track.track_id for track in tracks)
    if name is None:
        known = dataset_of(ids)
        name = known.protocol if known else "all"
    if not SPLITS[name].holds_back:
        return everything(tracks, part="test", seed=seed)
    # Windows need lengths, and what keeps tracks together the files that are the same twice.
    if SPLITS[name].published is None and source.store is None:
        with _clips_bar(len(tracks), "measuring") as report:
            checked = check_dataset(source.dataset, progress=report)
        source.failed = {i: checked.absent[i] for i in ids if i in checked.absent}
        source.dataset = checked
    tracks = source.dataset.tracks
    split = split_for(name, tracks, seed=seed)
    return replace(split, absent=tuple(t for t in split.absent if t not in set(ids)))


def _members(split: Split, fold: int, part: str | None) -> tuple[str, tuple[str, ...]]:
    """The part to judge by, and its members: test where there is one, or what was asked for."""
    from genrescope.errors import GenrescopeError

    parts = split.folds[fold].parts()
    chosen = part or next((p for p in ("test", "valid", "train") if parts[p]), "test")
    if not parts[chosen]:
        here = ", ".join(p for p in _PARTS if parts[p]) or "none"
        raise GenrescopeError(
            f"{split.protocol}: no track of its {chosen} part is here; parts with tracks: {here}."
        )
    return chosen, parts[chosen]


def _heard(task: Task, source: _Source) -> Seen | None:
    from genrescope.lab.evaluation.evaluate import seen

    if task.model.learned is None:
        return None
    judged = list({q.track.track_id: q.track for q in task.asked}.values())
    return seen(task.model.learned, judged, [*source.dataset.tracks, *task.learned])
