"""From finished runs to a bundle: one ONNX graph, calibrated, with its evidence and catalogue."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genrescope.data.fold import track_of
from genrescope.data.registry import dataset_of, datasets_among, known_tracks
from genrescope.data.store import FeatureStore
from genrescope.data.track import Track
from genrescope.errors import GenrescopeError
from genrescope.lab.export.conformal import fit_threshold
from genrescope.lab.export.evidence import (
    Evidence,
    clips_of,
    gather,
    held_out,
    mean_probabilities,
    metric_rows,
    windowing_of,
)
from genrescope.lab.export.novelty import fit_no_music
from genrescope.lab.export.onnx import check_parity, to_onnx
from genrescope.lab.inference import predict
from genrescope.lab.metrics import fit_temperature
from genrescope.lab.nets import Net
from genrescope.lab.nets.ensemble import together
from genrescope.lab.provenance import commit
from genrescope.lab.training.run import Run, ancestry, check_distinct, check_finished
from genrescope.model.bundle import Bundle
from genrescope.model.inference import NetOutput
from genrescope.model.writing import check_free, write_bundle

PARITY = 1e-3
EMBEDDING_SIZE = 64
DOUBTFUL = 0.06
"""Share of held-out clips that the ``uncertain`` flag may fall on; ``no music`` takes a share too,
and one clip in ten may have either."""


class Whitened(Net):
    """A net whose embedding is small and centred, so that a cosine tells tracks apart.

    The embeddings of a net's last layer all point the same way; their first principal
    components, each scaled to unit variance, do not. Logits are the net's own.

    Args:
        net: any net.
        embeddings: (n, d) of many windows, to fit the projection on.
        size: numbers that are kept, at most.
    """

    def __init__(self, net: Net, embeddings: NDArray[np.float32], *, size: int) -> None:
        super().__init__()
        self.net = net
        mean = embeddings.mean(axis=0, dtype=np.float64)
        _, scale, axes = np.linalg.svd(embeddings - mean, full_matrices=False)
        size = min(size, int((scale > scale[0] * 1e-4).sum()))
        weight = axes[:size] / (scale[:size, None] / np.sqrt(len(embeddings)))
        self.project = nn.Linear(len(mean), size)
        with torch.no_grad():
            self.project.weight.copy_(torch.from_numpy(weight))
            self.project.bias.copy_(torch.from_numpy(-weight @ mean))

    def serve(self, x: Tensor, n_steps: int) -> tuple[Tensor, Tensor, Tensor]:
        logits, embedding, steps = self.net.serve(x, n_steps)
        return logits, self.project(embedding), steps


def ship(
    runs: Sequence[Run],
    store: FeatureStore,
    out: Path,
    *,
    name: str,
    licence: str,
    created: str,
    command: str,
    evidence: Sequence[Run] = (),
    degradations: Sequence[Mapping[str, Any]] = (),
    last: bool = False,
    window_s: float | None = None,
) -> Bundle:
    """Write the bundle of one run, or of several as an ensemble.

    Args:
        runs: what ships; all of the same input, window and labels.
        store: the features they were trained on.
        out: folder of the bundle.
        name: of the bundle.
        licence: of the bundle.
        created: ISO date.
        command: what the user typed.
        evidence: runs of the same recipes that held clips out, for each clip as many as ship;
            the runs themselves by default. They give the figures; the first one's protocol gives,
            by its valid part where it has one, the temperature and the thresholds.
        degradations: how a bundle of the evidence fares, see
            `genrescope.lab.export.evidence.degradation_rows`.
        last: take the last epoch of every run, not the one its valid part chose.
        window_s: of the windows that clips are judged by, side by side; as in training by default.

    Raises:
        GenrescopeError: runs that are not finished or do not fit each other, evidence of another
            recipe or of more or fewer nets, a net that ONNX Runtime does not compute alike, or no
            held-out clip.
        BundleError: ``out`` holds something else.
    """
    first = runs[0]
    check_finished([*runs, *evidence])
    _check_alike(runs)
    _check_evidence(runs, evidence)
    check_free(out)
    # What held nothing out ships its last epoch, and is judged by the last of its evidence.
    last = last or not first.fold.valid
    window_s = window_s or first.recipe.window_s
    proof = evidence or runs
    judged = gather(proof, store, last=last, window_s=window_s)
    calibration = _calibrate(proof, judged, store, last=last, window_s=window_s)
    net = together([run.net(last=last) for run in runs])
    learned = list(dict.fromkeys(track_of(m) for run in runs for m in run.fold.train))
    windowing = windowing_of(first, window_s)
    clips = list(clips_of(first, store, learned))
    embeddings = np.concatenate([_embeddings(output) for output in predict(net, clips, windowing)])
    served = Whitened(net, embeddings, size=EMBEDDING_SIZE).eval()
    return write_bundle(
        out,
        onnx_bytes=_graph(
            served,
            n_bins=first.features.n_bins,
            n_frames=windowing.window_length,
            # A timeline's steps are as long as the excerpts that the nets learned from.
            n_steps=max(1, round(window_s / first.recipe.window_s)),
        ),
        name=name,
        labels=first.labels,
        features=first.features,
        window_s=window_s,
        hop_s=window_s,
        temperature=calibration.temperature,
        thresholds=calibration.thresholds,
        no_music=fit_no_music(store, learned),
        training=_training(runs, learned, command),
        metrics=metric_rows(judged, calibration.temperature, store.facts),
        degradations=degradations,
        licence=licence,
        created=created,
        catalogue=_catalogue(learned, predict(served, clips, windowing), store.facts),
    )


def _check_alike(runs: Sequence[Run]) -> None:
    first = runs[0]
    check_distinct(runs)
    for run in runs:
        same = (run.features, run.labels, run.recipe.window_s)
        if same != (first.features, first.labels, first.recipe.window_s):
            raise GenrescopeError(f"{run.path}: has other inputs or labels than {first.path}.")


def _check_evidence(runs: Sequence[Run], evidence: Sequence[Run]) -> None:
    """The card calls its figures those of what ships: the same recipes, and as many nets."""
    check_distinct(evidence)
    for run in evidence:
        unlike = [run.unlike(shipped) for shipped in runs]
        if all(unlike):
            fewest = min(unlike, key=len)
            what = ", ".join(fewest)
            raise GenrescopeError(
                f"{run.path}: is no evidence for {runs[0].path}: they differ in {what}."
            )
    methods = [run.method for run in runs]
    shipped = sorted(methods.index(method) for method in methods)
    judges: dict[tuple[str, str], list[int]] = {}
    for run in evidence:
        protocol, method = run.config["split"]["protocol"], methods.index(run.method)
        for member in held_out(run)[1]:
            judges.setdefault((protocol, member), []).append(method)
    for (protocol, member), some in judges.items():
        if sorted(some) != shipped:
            raise GenrescopeError(
                f"evidence by {protocol}: {len(some)} judge {member}, and {len(runs)} ship. "
                "Name for each fold as many runs of each recipe as ship."
            )


@dataclass(frozen=True)
class _Calibration:
    temperature: float
    thresholds: dict[str, float]


def _calibrate(
    proof: Sequence[Run],
    judged: Sequence[Evidence],
    store: FeatureStore,
    *,
    last: bool,
    window_s: float,
) -> _Calibration:
    """From the first protocol's held-out clips: never of a test part while there is another.

    Fold by fold: a clip may be in the valid parts of several, and is judged by the nets of one at
    a time, as by what ships.
    """
    protocol = proof[0].config["split"]["protocol"]
    of_one = [run for run in proof if run.config["split"]["protocol"] == protocol]
    clips = [one for one in judged if one.protocol == protocol]
    if any(run.fold.test for run in of_one):
        of_fold: dict[int, list[Run]] = {}
        for run in of_one:
            of_fold.setdefault(run.config["split"]["fold"], []).append(run)
        clips = [
            one
            for some in of_fold.values()
            for one in gather(some, store, parts=("valid", "test"), last=last, window_s=window_s)
        ]
    labels = np.concatenate([one.labels for one in clips])
    logits = [some for one in clips for some in one.logits]
    temperature = fit_temperature(logits, labels)
    probs = mean_probabilities(logits, temperature)
    thresholds = {
        "uncertain": float(np.quantile(probs.max(axis=1), DOUBTFUL)),
        "set": fit_threshold(labels, probs),
    }
    return _Calibration(temperature, thresholds)


def _graph(served: Whitened, *, n_bins: int, n_frames: int, n_steps: int) -> bytes:
    """The ONNX graph of a net, which ONNX Runtime computes as torch does."""
    onnx_bytes = to_onnx(served, n_bins=n_bins, n_frames=n_frames, n_steps=n_steps)
    gap = check_parity(served, onnx_bytes, n_bins=n_bins, n_frames=n_frames, n_steps=n_steps)
    if gap > PARITY:
        raise GenrescopeError(f"ONNX Runtime differs from torch by {gap:.2g}, over {PARITY:g}.")
    return onnx_bytes


def _embeddings(output: NetOutput) -> NDArray[np.float32]:
    """Embeddings of the windows of a clip, (n_windows, d)."""
    assert output.embedding is not None
    return output.embedding


def _catalogue(
    members: Sequence[str], outputs: Sequence[NetOutput], facts: Sequence[Track]
) -> bytes:
    """The catalogue's npz: for each clip the direction of its windows' mean embedding."""
    known = {track.track_id: track for track in facts}
    tracks = [known[member] for member in members]
    rows = []
    for output in outputs:
        mean = _embeddings(output).mean(axis=0)
        rows.append(mean / max(float(np.linalg.norm(mean)), 1e-12))
    file = io.BytesIO()
    np.savez_compressed(
        file,
        embedding=np.stack(rows).astype(np.float16),
        track=np.array([track.track_id for track in tracks]),
        artist=np.array([track.artist or "" for track in tracks]),
        title=np.array([track.title or _name_of(track.track_id) for track in tracks]),
        genre=np.array([track.genre for track in tracks]),
    )
    return file.getvalue()


def _name_of(track_id: str) -> str:
    """What to call a track without a title: its file, unless that is but a dataset's number."""
    return "" if track_id in known_tracks() else PurePosixPath(track_id).stem


def _training(runs: Sequence[Run], tracks: list[str], command: str) -> dict[str, Any]:
    config = runs[0].config
    recipes = [run.recipe.to_dict() for run in runs]
    records = ancestry(run.config for run in runs)
    commits = dict.fromkeys(one["commit"] for one in records if one["commit"])
    dataset = dataset_of(tracks)
    return {
        "data": f"{dataset.title}, {config['data']}" if dataset else config["data"],
        "protocol": config["split"]["protocol"],
        "split": config["split"],
        "net": " + ".join(
            name + (f" x {n}" if n > 1 else "")
            for name, n in Counter(run.recipe.net for run in runs).items()
        ),
        "recipe": _one_or_all([r for i, r in enumerate(recipes) if r not in recipes[:i]]),
        "seed": _one_or_all([run.config["seed"] for run in runs]),
        "tracks": tracks,
        "command": "; ".join(one["command"] for one in records),
        "export": command,
        "date": max(run.config["date"] for run in runs),
        "versions": config["versions"],
        "commit": ", ".join(commits) or commit(),
    } | _notes(tracks)


def _notes(tracks: Sequence[str]) -> dict[str, str]:
    """What the model card says of the known datasets that these tracks are from."""
    known = datasets_among(tracks)
    if not known:
        return {}
    return {
        "limits": "\n".join(dataset.limits for dataset in known),
        "recordings": "\n\n".join(dataset.recordings for dataset in known),
    }


def _one_or_all(values: Sequence[Any]) -> Any:
    """A list, but of one value the value."""
    return list(values) if len(values) > 1 else values[0]
