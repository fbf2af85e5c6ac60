"""Train a head: evaluate it by artist folds, then train it on all tracks, and keep both.

A run's folder holds ``head.json`` (how it was trained, how good it is) and ``head.onnx``,
calibrated and ready to stand in a bundle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genrescope.data.joined import join, title_of
from genrescope.data.registry import annotators
from genrescope.data.splits import make_split
from genrescope.data.store import FeatureStore
from genrescope.errors import GenrescopeError
from genrescope.features.spectrogram import standardise
from genrescope.files import atomic_write
from genrescope.lab.heads.nets import Averaged, Behind, TempoNet
from genrescope.lab.heads.run import HEAD_JSON, HEAD_ONNX
from genrescope.lab.heads.scores import by_genre, figure
from genrescope.lab.heads.tasks import TASKS, Task
from genrescope.lab.metrics import confidence_error
from genrescope.lab.provenance import commit, today
from genrescope.lab.tracing import require_parity, trace
from genrescope.model.heads import BEAT, KEY, LOGITS, TEMPO
from genrescope.model.inference import softmax
from genrescope.model.tempo import read_tempo
from genrescope.progress import Progress, no_progress

PROTOCOL = "artists"
BATCH_SIZE = 32
BEATLESS = 0.05
"""Share of held-out music that may be called beatless."""

_TEMPERATURES = np.geomspace(0.3, 3.0, 93)


@dataclass(frozen=True, eq=False)
class Lessons:
    """Annotated tracks, ready to learn from.

    Attributes:
        tracks: their IDs (n,).
        genres: str (n,).
        inputs: of the net by name, float32 (n, ...).
        truth: bpm, or place of the key; (n,).
        fold: int (n,), in which each is held out.
    """

    tracks: tuple[str, ...]
    genres: NDArray[np.str_]
    inputs: Mapping[str, Tensor]
    truth: NDArray[np.float64]
    fold: NDArray[np.int64]


def train_head(
    task: str,
    data: Sequence[Path],
    out: Path,
    *,
    seed: int = 0,
    command: str = "",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train a head and write its run; what ``genrescope heads train`` does.

    Args:
        task: ``tempo`` or ``key``.
        data: feature stores with tracks whose tempo or key is known.
        out: the run's folder, made here.
        seed: of every random step.
        command: what the user typed.
        progress: called with the nets that are trained, and the nets in all.

    Returns:
        What ``head.json`` holds.

    Raises:
        GenrescopeError: no such annotations, a store of another kind than mel, or ONNX Runtime
            computes another thing than torch.
    """
    how = TASKS[task]
    report = progress or no_progress
    store = join([FeatureStore.load(path) for path in data])
    lessons = _lessons(how, store)
    everyone = np.arange(len(lessons.tracks))
    n_folds = int(lessons.fold.max()) + 1
    n_all, n_done = (n_folds + 1) * how.n_nets, 0
    as_taken = lessons
    front = how.front(store.config, seed) if how.front is not None else None
    if front is not None:
        lessons = _heard_through(front, lessons)

    def together(learned: NDArray[np.int64]) -> Averaged:
        nonlocal n_done
        nets = []
        for number in range(how.n_nets):
            nets.append(_train(how, lessons, learned, seed=seed + number))
            n_done += 1
            report(n_done, n_all, task)
        return Averaged(nets).eval()

    logits = np.empty((len(everyone), how.inside(lessons.truth).shape[1]))
    for k in range(n_folds):
        held = np.flatnonzero(lessons.fold == k)
        logits[held] = _answers(together(np.flatnonzero(lessons.fold != k)), lessons, held)
    evaluated = _evaluate(task, how, lessons, logits, seed)
    final = together(everyone)
    final.temperature = evaluated.temperature
    head = final if front is None else Behind(front, final)
    onnx_bytes = _onnx(head.eval(), as_taken, task)
    described = {
        "task": task,
        "features": store.config.to_dict(),
        "training": {
            "data": title_of(store),
            "annotations": annotators(),
            "protocol": PROTOCOL,
            "n_folds": n_folds,
            "tracks": list(lessons.tracks),
            "seed": seed,
            "n_nets": how.n_nets,
            "epochs": how.epochs,
            "temperature": round(evaluated.temperature, 4),
            "by_genre": evaluated.by_genre,
            "command": command,
            "commit": commit(),
            "date": today(),
        },
        "figures": evaluated.figures,
        "thresholds": evaluated.thresholds,
    }
    out.mkdir(parents=True, exist_ok=True)
    with atomic_write(out / HEAD_ONNX) as part:
        part.write_bytes(onnx_bytes)
    with atomic_write(out / HEAD_JSON) as part:
        part.write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    return described


def _lessons(how: Task, store: FeatureStore) -> Lessons:
    if store.config.kind != "mel" or store.config.n_bins % 16:
        raise GenrescopeError(
            f"{store.name}: tempo and key are read from log-mels with a multiple of 16 bands."
        )
    known = how.annotations()
    facts = [track for track in store.facts if track.track_id in known]
    if not facts:
        raise GenrescopeError(
            f"{store.name}: no track in it has an annotation; GTZAN's have, see docs/tempo-key.md."
        )
    fold_of = {
        member: k
        for k, fold in enumerate(make_split(PROTOCOL, store.facts).folds)
        for member in fold.test
    }
    rows: dict[str, list[NDArray[np.float32]]] = {}
    for track in facts:
        for name, value in how.inputs(standardise(store.get(track.track_id)), store.config).items():
            rows.setdefault(name, []).append(value)
    shapes = {value.shape for values in rows.values() for value in values}
    if len(shapes) > len(rows):
        raise GenrescopeError(f"{store.name}: its clips are of different lengths.")
    return Lessons(
        tuple(track.track_id for track in facts),
        np.array([track.genre for track in facts]),
        {name: torch.from_numpy(np.stack(values)) for name, values in rows.items()},
        np.array([known[track.track_id] for track in facts], np.float64),
        np.array([fold_of[track.track_id] for track in facts]),
    )


def _heard_through(front: nn.Module, lessons: Lessons) -> Lessons:
    (x,) = lessons.inputs.values()
    with torch.inference_mode():
        heard = torch.cat([front(part) for part in torch.split(x, BATCH_SIZE)])
    return replace(lessons, inputs={"heard": heard.clone()})


def _train(how: Task, lessons: Lessons, learned: NDArray[np.int64], *, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = how.make()
    inputs = {name: value[learned] for name, value in lessons.inputs.items()}
    if isinstance(net, TempoNet):
        net.fit_scale(inputs["timbre"])
    truth = torch.from_numpy(lessons.truth[learned])
    optimiser = torch.optim.AdamW(net.parameters(), how.lr, weight_decay=how.weight_decay)
    n_batches = max(1, len(learned) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, how.lr, total_steps=how.epochs * n_batches, pct_start=0.1
    )
    net.train()
    for _ in range(how.epochs):
        for batch in np.array_split(rng.permutation(len(learned)), n_batches):
            loss = how.loss(net, [value[batch] for value in inputs.values()], truth[batch], rng)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return net.eval()


def _answers(net: nn.Module, lessons: Lessons, held: NDArray[np.int64]) -> NDArray[np.float64]:
    with torch.inference_mode():
        answer: Tensor = net(*[value[held] for value in lessons.inputs.values()])
    return answer.double().numpy()


def fit_temperature(logits: NDArray[np.float64], inside: NDArray[np.bool_]) -> float:
    """The temperature by which the right classes together are the most probable.

    Args:
        logits: (n, n_classes).
        inside: which classes are right, (n, n_classes); rows without any are left out.
    """
    there = inside.any(axis=1)

    def loss(temperature: float) -> float:
        right = (softmax(logits[there], temperature) * inside[there]).sum(axis=1)
        return float(-np.log(np.maximum(right, 1e-12)).mean())

    return float(min(_TEMPERATURES, key=loss))


@dataclass(frozen=True)
class Evaluated:
    """How good a head is on held-out tracks, and what follows from it.

    Attributes:
        figures: by name, each with its count and interval.
        by_genre: the same without intervals, for each genre.
        thresholds: that the bundle gets.
        temperature: of the head that is trained on all tracks.
    """

    figures: dict[str, Any]
    by_genre: dict[str, dict[str, float]]
    thresholds: dict[str, float]
    temperature: float


def _evaluate(
    task: str, how: Task, lessons: Lessons, logits: NDArray[np.float64], seed: int
) -> Evaluated:
    """Measure held-out answers, each calibrated on the other folds.

    Args:
        logits: of each track by the nets that did not learn it, (n, n_classes).
        seed: of the bootstrap.
    """
    inside = how.inside(lessons.truth)
    probs = np.empty_like(logits)
    for k in np.unique(lessons.fold):
        held = lessons.fold == k
        probs[held] = softmax(logits[held], fit_temperature(logits[~held], inside[~held]))
    temperature = fit_temperature(logits, inside)
    measured = how.measure(lessons.truth, probs)
    figures = {name: figure(points, seed=seed) for name, points in measured.points.items()}
    right = next(iter(measured.points.values()))
    error = round(confidence_error(measured.confidence, right), 4)
    figures["calibration_error"] = {
        "n": len(logits), "value": error, "low": error, "high": error,
    }  # fmt: skip
    thresholds = {}
    if task == TEMPO:
        pulses = [read_tempo(row).pulse for row in softmax(logits, temperature)]
        thresholds[BEAT] = round(float(np.quantile(pulses, BEATLESS)), 4)
    return Evaluated(figures, by_genre(measured.points, lessons.genres), thresholds, temperature)


def _onnx(net: nn.Module, lessons: Lessons, task: str) -> bytes:
    """The net as ONNX, which ONNX Runtime computes as torch does."""
    examples = tuple(value[:2] for value in lessons.inputs.values())
    names = list(lessons.inputs)
    axes: dict[str, dict[int, str]] = {name: {0: "batch"} for name in (*names, LOGITS)}
    if task == KEY:
        axes["log_mel"][2] = "n_frames"
    onnx_bytes = trace(net, examples, inputs=names, outputs=[LOGITS], axes=axes)
    session = onnxruntime.InferenceSession(onnx_bytes, providers=["CPUExecutionProvider"])
    probe = {name: value[:5] for name, value in lessons.inputs.items()}
    if task == KEY:
        probe = {name: value[..., :47] for name, value in probe.items()}
    with torch.inference_mode():
        expected = net(*probe.values()).numpy()
    (got,) = session.run([LOGITS], {name: value.numpy() for name, value in probe.items()})
    require_parity(float(np.abs(expected - got).max()))
    return onnx_bytes
