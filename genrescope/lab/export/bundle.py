"""From finished runs to a bundle: one ONNX graph, calibrated, with its evidence and catalogue."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genrescope.audio.decode import AUDIO_SUFFIXES
from genrescope.data.fold import track_of
from genrescope.data.joined import join
from genrescope.data.registry import dataset_of, datasets_among, known_tracks
from genrescope.data.store import FeatureStore
from genrescope.data.track import Track
from genrescope.errors import GenrescopeError
from genrescope.lab.export.evidence import (
    Evidence,
    check_store,
    clips_of,
    degradation_rows,
    gather,
    held_out,
    learned_windows,
    mean_probabilities,
    metric_rows,
    windowing_of,
)
from genrescope.lab.export.int8 import HOW, quantise
from genrescope.lab.export.novelty import fit_no_music
from genrescope.lab.export.onnx import check_parity, onnx_net, to_onnx
from genrescope.lab.heads.run import load_heads
from genrescope.lab.inference import predict
from genrescope.lab.metrics import fit_temperature
from genrescope.lab.nets import Net
from genrescope.lab.nets.ensemble import together
from genrescope.lab.provenance import commit, today
from genrescope.lab.tracing import require_parity
from genrescope.lab.training.run import Run, ancestry, check_distinct, check_finished
from genrescope.model.bundle import Bundle
from genrescope.model.inference import NetOutput, infer
from genrescope.model.prediction_sets import fit_threshold
from genrescope.model.writing import Head, check_free, check_texts, reserve, write_bundle

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


def export_runs(
    runs: Sequence[Path],
    data: Sequence[Path],
    out: Path,
    *,
    name: str,
    licence: str,
    command: str = "",
    evidence: Sequence[Path] = (),
    degradations: Path | None = None,
    last: bool = False,
    window_s: float | None = None,
    int8: bool = False,
    heads: Mapping[str, Path | None] | None = None,
) -> Bundle:
    """Write the bundle of runs that are read from their folders; what `genrescope export` does.

    Args:
        runs, evidence: folders of runs.
        data: the feature stores they were trained on, taken together.
        degradations: file with what ``evaluate --degrade --json`` printed of the evidence's own
            bundle, for the card.
        out, name, licence, command, last, window_s, int8: see `export_bundle`.
        heads: ``tempo`` and ``key`` with the folders of their runs, see
            `genrescope.lab.heads.run`; without them the bundle tells neither.

    Raises:
        GenrescopeError: see `export_bundle`; or a folder holds no run or no store, or the file no
            degradations of the evidence.
    """
    shipped = [Run.load(path) for path in runs]
    proof = [Run.load(path) for path in evidence]
    rows = degradation_rows(degradations, proof or shipped) if degradations else ()
    return export_bundle(
        shipped,
        join([FeatureStore.load(path) for path in data]),
        out,
        name=name,
        licence=licence,
        created=today(),
        command=command,
        evidence=proof,
        degradations=rows,
        last=last,
        window_s=window_s,
        int8=int8,
        heads=load_heads(heads or {}, shipped[0].features),
    )


def export_bundle(
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
    int8: bool = False,
    heads: Mapping[str, Head] | None = None,
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
        window_s: length of the windows, side by side, that the bundle cuts a clip into; that of
            the excerpts in training by default.
        int8: compute in whole numbers, see `genrescope.lab.export.int8`; the figures are then of
            nets that do so too.
        heads: small nets to stand beside it.

    Returns:
        The bundle, read back.

    Raises:
        GenrescopeError: runs that are not finished or do not fit each other, evidence of another
            recipe or of more or fewer nets, a net that ONNX Runtime does not compute alike, or no
            held-out clip.
        BundleError: ``out`` holds something else, another process is writing to it, or a name or
            licence that no bundle may have.
    """
    first = runs[0]
    window_s = window_s or first.recipe.window_s
    proof = evidence or runs
    check_texts(name=name, licence=licence)
    check_free(out)
    _check_spectrograms(runs)
    check_finished([*runs, *evidence])
    _check_alike(runs)
    _check_evidence(runs, evidence)
    _check_data(runs, proof, store, window_s)
    # What held nothing out ships its last epoch, and its evidence shows the last one too.
    last = last or not first.fold.valid
    with reserve(out):  # what follows takes minutes
        measured = gather(proof, store, last=last, window_s=window_s, int8=int8)
        calibration = _calibrate(proof, measured, store, last=last, window_s=window_s, int8=int8)
        net = together([run.net(last=last) for run in runs])
        learned = list(dict.fromkeys(track_of(m) for run in runs for m in run.fold.train))
        windowing = windowing_of(first, window_s)
        clips = list(clips_of(first, store, learned))
        embeddings = np.concatenate(
            [_embeddings(output) for output in predict(net, clips, windowing)]
        )
        graph = _graph(
            Whitened(net, embeddings, size=EMBEDDING_SIZE).eval(),
            n_bins=first.features.n_bins,
            n_frames=windowing.window_length,
            # A timeline's steps are as long as the excerpts that the nets learned from.
            n_steps=max(1, round(window_s / first.recipe.window_s)),
        )
        if int8:
            graph = quantise(graph, learned_windows(first, store, learned, windowing))
        return write_bundle(
            out,
            onnx_bytes=graph,
            name=name,
            labels=first.labels,
            features=first.features,
            window_s=window_s,
            hop_s=window_s,
            temperature=calibration.temperature,
            thresholds=calibration.thresholds,
            no_music=fit_no_music(store, learned),
            training=_training(runs, learned, command) | ({"arithmetic": HOW} if int8 else {}),
            metrics=metric_rows(measured, calibration.temperature, store.facts),
            degradations=degradations,
            licence=licence,
            created=created,
            catalogue=_catalogue(learned, infer(clips, onnx_net(graph), windowing), store.facts),
            heads=heads,
            reserved=True,
        )


def _check_spectrograms(runs: Sequence[Run]) -> None:
    for run in runs:
        if run.features.kind == "waveform":
            raise GenrescopeError(
                f"{run.path}: learned from waveforms, and a bundle classifies spectrograms. Such a "
                "run can be evaluated, not exported."
            )


def _check_data(
    runs: Sequence[Run], proof: Sequence[Run], store: FeatureStore, window_s: float
) -> None:
    """Whether the store has what the runs learned and held out, by their front end."""
    here = set(store.tracks)
    needed = [(run, run.fold.train) for run in runs] + [(run, held_out(run)[1]) for run in proof]
    for run, members in needed:
        check_store(run, store)
        run.window_frames(window_s)
        missing = [member for member in members if track_of(member) not in here]
        if missing:
            raise GenrescopeError(
                f"{run.path}: {len(missing)} of its tracks are not in {store.name}, such as "
                f"{track_of(missing[0])}."
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
    tested_by: dict[tuple[str, str], list[int]] = {}
    for run in evidence:
        protocol, method = run.config["split"]["protocol"], methods.index(run.method)
        for member in held_out(run)[1]:
            tested_by.setdefault((protocol, member), []).append(method)
    for (protocol, member), nets in tested_by.items():
        if sorted(nets) != shipped:
            raise GenrescopeError(
                f"evidence under {protocol}: {member} was held out by {len(nets)}, and {len(runs)} "
                "ship. Name for each fold as many runs of each recipe as ship."
            )


@dataclass(frozen=True)
class _Calibration:
    temperature: float
    thresholds: dict[str, float]


def _calibrate(
    proof: Sequence[Run],
    measured: Sequence[Evidence],
    store: FeatureStore,
    *,
    last: bool,
    window_s: float,
    int8: bool,
) -> _Calibration:
    """From the first protocol's held-out clips: never of a test part while there is another.

    Fold by fold: a clip may be in the valid parts of several, and the nets of one at a time answer
    for it, as what ships does.
    """
    protocol = proof[0].config["split"]["protocol"]
    same_protocol = [run for run in proof if run.config["split"]["protocol"] == protocol]
    found = [evidence for evidence in measured if evidence.protocol == protocol]
    if any(run.fold.test for run in same_protocol):
        of_fold: dict[int, list[Run]] = {}
        for run in same_protocol:
            of_fold.setdefault(run.config["split"]["fold"], []).append(run)
        found = [
            evidence
            for runs in of_fold.values()
            for evidence in gather(
                runs, store, parts=("valid", "test"), last=last, window_s=window_s, int8=int8
            )
        ]
    labels = np.concatenate([evidence.labels for evidence in found])
    logits = [of_clip for evidence in found for of_clip in evidence.logits]
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
    require_parity(gap)
    return onnx_bytes


def _embeddings(output: NetOutput) -> NDArray[np.float32]:
    """Embeddings of the windows of a clip, (n_windows, d)."""
    assert output.embedding is not None
    return output.embedding


def _catalogue(
    members: Sequence[str], outputs: Iterable[NetOutput], facts: Sequence[Track]
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
        artist=np.array([_artist_of(track) for track in tracks]),
        title=np.array([track.title or _name_of(track.track_id) for track in tracks]),
        genre=np.array([track.genre for track in tracks]),
    )
    return file.getvalue()


def _artist_of(track: Track) -> str:
    """Who made a track, as people know them.

    A table may call an artist "unknown (...)", so that the tracks of one stay together.
    """
    artist = track.artist or ""
    return "" if artist.lower().split(" (")[0] == "unknown" else artist


def _name_of(track_id: str) -> str:
    """What to call a track without a title: its file, unless the ID is but a dataset's number."""
    name = PurePosixPath(track_id)
    is_number = track_id in known_tracks() or name.suffix.lower() not in {"", *AUDIO_SUFFIXES}
    return "" if is_number else name.stem


def _training(runs: Sequence[Run], tracks: list[str], command: str) -> dict[str, Any]:
    config = runs[0].config
    recipes = [run.recipe.to_dict() for run in runs]
    records = ancestry(run.config for run in runs)
    commits = dict.fromkeys(record["commit"] for record in records if record["commit"])
    dataset = dataset_of(tracks)
    return {
        "data": f"{dataset.title}, {config['data']}" if dataset else config["data"],
        "protocol": config["split"]["protocol"],
        "split": config["split"],
        "net": " + ".join(
            name + (f" x {n}" if n > 1 else "")
            for name, n in Counter(run.recipe.net for run in runs).items()
        ),
        "recipe": _single_or_all([r for i, r in enumerate(recipes) if r not in recipes[:i]]),
        "seed": _single_or_all([run.config["seed"] for run in runs]),
        "tracks": tracks,
        "command": "; ".join(record["command"] for record in records),
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


def _single_or_all(values: Sequence[Any]) -> Any:
    """The value where there is a single one, or the list of them."""
    return list(values) if len(values) > 1 else values[0]
