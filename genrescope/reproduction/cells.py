"""The cells of a plan, one after the other: resumable, each with its own result."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import genrescope
from genrescope.data.fold import Fold, check_learnable, track_of
from genrescope.data.splits import Split, split_for
from genrescope.data.store import FeatureStore
from genrescope.errors import DatasetError, GenrescopeError
from genrescope.features.windows import place, random_windows, take
from genrescope.lab.inference import predict
from genrescope.lab.metrics import by_track, confusion_matrix, score
from genrescope.lab.provenance import commit, today
from genrescope.lab.run_folder import CHECKPOINT, CONFIG
from genrescope.lab.training.examples import Examples, examples
from genrescope.lab.training.prepare import OtherRunError, prepare
from genrescope.lab.training.recipe import Recipe
from genrescope.lab.training.run import Run, read_config, window_frames
from genrescope.lab.training.train import Step, Training
from genrescope.model.inference import Windowing, softmax
from genrescope.progress import Progress, no_progress
from genrescope.reproduction.baselines import BASELINES
from genrescope.reproduction.plan import Cell
from genrescope.reproduction.results import is_done, recipe_of, write_result
from genrescope.reproduction.sparse_representation import temporal_modulations
from genrescope.reproduction.summary import summarise_audio, summarise_bands, summarise_log_mel

Array = NDArray[Any]

WINDOW_S = 3.0
TRAIN_WINDOWS = 5
VECTORS = ("bands", "summary", "modulations")


@dataclass
class Data:
    """What the cells read, each made when a cell first asks for it.

    Attributes:
        makers: (data, input) of a cell -> how to get its store.
    """

    makers: dict[tuple[str, str], Callable[[], FeatureStore]]
    _stores: dict[tuple[str, str], FeatureStore] = field(default_factory=dict)
    _splits: dict[tuple[str, str], Split] = field(default_factory=dict)
    _vectors: dict[tuple[str, str, str], Array] = field(default_factory=dict)

    def store(self, cell: Cell) -> FeatureStore:
        """The clips a cell is made of; for vectors, those they are computed from."""
        kind = cell.input
        if kind in VECTORS:
            kind = "raw" if (cell.data, kind) == ("audio", "summary") else "mel"
        key = (cell.data, kind)
        if key not in self._stores:
            self._stores[key] = self.makers[key]()
        return self._stores[key]

    def split(self, cell: Cell) -> Split:
        """The split of a cell, the same for every input of the same data."""
        key = (cell.data, cell.protocol)
        if key not in self._splits:
            self._splits[key] = split_for(cell.protocol, self.store(cell).facts)
        return self._splits[key]

    def vector(self, cell: Cell, member: str, start: float | None) -> Array:
        """The vector of a track, or of a window of it."""
        key = (cell.data, cell.input, member)
        if key not in self._vectors:
            store = self.store(cell)
            x = store.get(track_of(member))
            if start is not None:
                rate = store.config.frame_rate
                n_frames = max(1, round(WINDOW_S * rate))
                x = x[:, place(x.shape[1], start, n_frames=n_frames, frame_rate=rate)]
            try:
                self._vectors[key] = _vector(x, store, cell.input)
            except ValueError as error:  # too few frames or bands for these numbers
                raise DatasetError(f"{member}: {error}") from None
        return self._vectors[key]


@dataclass(frozen=True)
class Answers:
    """What a model says of the members of one or more folds.

    Attributes:
        members: IDs (n,).
        labels: int64 (n,).
        windows: probabilities of each member's windows, (n_windows, n_classes).
    """

    members: list[str]
    labels: list[int]
    windows: list[Array]


def run_cells(
    cells: Iterable[Cell],
    data: Data,
    out: Path,
    *,
    progress: Progress | None = None,
    start: Callable[[Cell], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> None:
    """Run what is not done yet; each result is written as soon as it is there.

    Args:
        cells: in this order.
        data: what they read.
        out: results go to ``out/cells``, runs of nets to ``out/runs``.
        progress: called during a cell with the share that is done, 1, and where it is.
        start: called before a cell.
        stop: asked before a cell whether to leave the rest for another time.
    """
    for cell in cells:
        if is_done(out, cell):
            continue
        if stop is not None and stop():
            return
        if start is not None:
            start(cell)
        write_result(out, cell, _result(cell, data, out, progress or no_progress))
        for checkpoint in _runs_of(out, cell).glob(f"*/{CHECKPOINT}"):
            checkpoint.unlink()  # thrice the weights, and of no more use


def _result(cell: Cell, data: Data, out: Path, progress: Progress) -> dict[str, Any]:
    head = {
        "id": cell.id,
        **{key: getattr(cell, key) for key in ("protocol", "data", "input", "model", "seed")},
        "recipe": recipe_of(cell),
        "version": genrescope.__version__,
        "commit": commit(),
        "date": today(),
    }
    data.store(cell)  # what cannot be read is the user's to mend, and no result
    try:
        return head | _figures(cell, data, out, progress)
    except DatasetError as error:
        return head | {"impossible": str(error)}


def _figures(cell: Cell, data: Data, out: Path, progress: Progress) -> dict[str, Any]:
    """Train and evaluate, fold by fold; DatasetError where the data does not allow it."""
    began = time.perf_counter()
    store, split = data.store(cell), data.split(cell)
    folds = split.folds if cell.all_folds else split.folds[:1]
    answers = Answers([], [], [])
    of_net: dict[str, Any] = {}
    for number, fold in enumerate(folds):
        held_out = fold.test or fold.valid
        if not held_out:
            raise DatasetError("no track to evaluate on is here")

        def report(share: float, total: float | None, text: str, number: int = number) -> None:
            progress((number + share) / len(folds), 1.0, text)

        if cell.recipe is None:
            _evaluate_baseline(cell, data, split, fold, held_out, answers)
            report(1.0, 1.0, f"fold {number + 1}")
        else:
            of_fold = _evaluate_net(cell, store, split, number, held_out, answers, out, report)
            of_net = of_net or of_fold  # its curves are the first fold's
    part = "test" if split.folds[0].test else "valid"
    return {
        "labels": list(store.genres),
        "n_tracks": len(store),
        "part": part,
        "folds": [len(folds), len(split.folds)],
        "n_train": len(folds[0].train),
        "absent": len(split.absent),
        "seconds": round(time.perf_counter() - began, 1),
        **_scores(answers, split.leaky),
        **of_net,
    }


def _evaluate_baseline(
    cell: Cell, data: Data, split: Split, fold: Fold, held_out: Sequence[str], into: Answers
) -> None:
    store = data.store(cell)
    check_learnable(fold, store.facts)  # of nets `begin` does
    if cell.input in VECTORS:
        classes = {track.track_id: store.genres.index(track.genre) for track in store.facts}

        def rows(members: Sequence[str], *, train: bool) -> tuple[list[Array], list[int]]:
            xs = [data.vector(cell, m, split.starts.get(m))[np.newaxis] for m in members]
            return xs, [classes[track_of(m)] for m in members]
    else:
        n_frames = max(1, round(WINDOW_S * store.config.frame_rate))

        def rows(members: Sequence[str], *, train: bool) -> tuple[list[Array], list[int]]:
            prepared = examples(store, members, n_frames=n_frames, starts=split.starts)
            rng = np.random.default_rng(cell.seed)
            xs = [_flat(prepared, i, rng if train else None) for i in range(len(prepared))]
            return xs, prepared.labels.tolist()

    xs, ys = rows(fold.train, train=True)
    model = BASELINES[cell.model](seed=cell.seed)
    wanted, there = getattr(model[-1], "n_neighbors", 0), sum(len(x) for x in xs)
    if there < wanted:
        raise DatasetError(f"{wanted} neighbours are asked for, and {there} windows are here")
    model.fit(np.concatenate(xs), np.repeat(ys, [len(x) for x in xs]))
    xs, ys = rows(held_out, train=False)
    answer = model.predict_proba(np.concatenate(xs))
    probs = np.zeros((len(answer), len(store.genres)))
    probs[:, model.classes_] = answer
    _add(into, held_out, ys, np.split(probs, np.cumsum([len(x) for x in xs])[:-1]))


def _flat(prepared: Examples, member: int, rng: np.random.Generator | None) -> Array:
    """Windows of a member as rows: random ones to learn from, the grid to be evaluated on."""
    clip = prepared.clips[member]
    n = min(TRAIN_WINDOWS, clip.shape[1] // prepared.n_frames)
    if rng is None or n == 0:
        starts, _ = _windowing(prepared).places(clip.shape[1])
        n = len(starts)
    else:
        starts = random_windows(
            clip.shape[1], window_length=prepared.n_frames, n_windows=n, rng=rng
        )
    cut = take(clip.numpy(), starts, window_length=prepared.n_frames)
    return cut.reshape(n, -1).astype(np.float32)


def _windowing(prepared: Examples) -> Windowing:
    """The talk's windows: all of one length, the last one moved to the end of the clip."""
    return Windowing(prepared.n_frames, prepared.n_frames, stretched=False)


def _evaluate_net(
    cell: Cell,
    store: FeatureStore,
    split: Split,
    number: int,
    held_out: Sequence[str],
    into: Answers,
    out: Path,
    progress: Progress,
) -> dict[str, Any]:
    assert cell.recipe is not None
    if not split.folds[number].test:
        # What is evaluated on must not choose the epoch: the last one is kept.
        fold = replace(split.folds[number], valid=(), test=tuple(held_out))
        split = replace(split, folds=(*split.folds[:number], fold, *split.folds[number + 1 :]))
    folder = _runs_of(out, cell) / f"fold{number}"
    _drop_other(folder, cell.recipe)
    try:
        training = Training(
            prepare(store, split, cell.recipe, fold=number, seed=cell.seed, out=folder, resume=True)
        )
    except OtherRunError as error:
        raise OtherRunError(f"{error} Delete it, or name another --out.") from None
    except GenrescopeError as error:  # too few frames or bands for this net
        raise DatasetError(str(error)) from None
    epochs = cell.recipe.epochs

    def report(step: Step) -> None:
        text = f"epoch {step.epoch + 1}/{epochs}, loss {step.loss:.2f}"
        progress(step.step / step.n_steps, 1.0, text)

    history = training.run(report)
    run = Run.load(folder)
    prepared = examples(
        store,
        held_out,
        n_frames=window_frames(cell.recipe.window_s, store.config),
        starts=split.starts,
    )
    outputs = predict(run.net(), prepared.clips, _windowing(prepared))
    _add(into, held_out, prepared.labels.tolist(), [softmax(output.logits) for output in outputs])
    return {
        "weights": sum(p.numel() for p in training.net.parameters()),
        "history": [
            {key: _finite(value) for key, value in vars(epoch).items()} for epoch in history
        ],
    }


def _runs_of(out: Path, cell: Cell) -> Path:
    return out / "runs" / cell.id


def _drop_other(folder: Path, recipe: Recipe) -> None:
    """Remove a run that was begun with another recipe; it can neither go on nor be evaluated."""
    if (folder / CONFIG).exists() and read_config(folder)["recipe"] != recipe.to_dict():
        shutil.rmtree(folder)


def _add(into: Answers, members: Sequence[str], labels: list[int], windows: list[Array]) -> None:
    into.members.extend(members)
    into.labels.extend(labels)
    into.windows.extend(windows)


def _scores(answers: Answers, leaky: bool) -> dict[str, Any]:
    """Scores at both levels; the headline level is the window if leaky, else the track."""
    labels = np.array(answers.labels)
    counts = [len(windows) for windows in answers.windows]
    rows = np.concatenate(answers.windows)
    row_tracks = np.repeat([track_of(m) for m in answers.members], counts).tolist()
    row_labels = np.repeat(labels, counts)
    means = np.stack([windows.mean(axis=0) for windows in answers.windows])
    tracks, track_labels, probs = by_track([track_of(m) for m in answers.members], labels, means)
    _, _, hard = by_track(row_tracks, row_labels, rows, vote="hard")
    members = answers.members if leaky else tracks
    head_labels, head = (labels, means) if leaky else (track_labels, probs)
    n_classes = head.shape[1]
    return {
        "level": "window" if leaky else "track",
        "window": score(row_labels, rows, groups=row_tracks).to_dict(),
        "track": score(track_labels, probs).to_dict(),
        "hard": score(track_labels, hard).to_dict(),
        "confusion": confusion_matrix(head_labels, head.argmax(axis=1), n_classes).tolist(),
        "answers": {
            "members": list(members),
            "labels": head_labels.tolist(),
            "probs": np.round(head, 5).tolist(),
        },
    }


def _vector(x: Array, store: FeatureStore, kind: str) -> Array:
    if kind == "bands":
        return summarise_bands(x)
    if kind == "modulations":
        return temporal_modulations(x, frame_rate=store.config.frame_rate)
    if store.config.kind == "waveform":
        return summarise_audio(x[0], store.config.sr)
    return summarise_log_mel(x)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
