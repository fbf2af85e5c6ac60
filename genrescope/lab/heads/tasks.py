"""What heads learn: the annotations, inputs, net, loss and figures of tempo and of key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from genrescope.data.registry import known_keys, known_tempos
from genrescope.features.config import FeatureConfig
from genrescope.features.rhythm import BINS_PER_OCTAVE, LOWEST_BPM, N_TEMPI, tempi
from genrescope.lab.heads.nets import KeyNet, TempoNet
from genrescope.lab.heads.pitch import train_pitch
from genrescope.lab.heads.scores import key_points, tempo_hits
from genrescope.model.heads import KEY, TEMPO, Inputs, key_inputs, tempo_inputs
from genrescope.model.key import KEYS
from genrescope.model.tempo import TOLERANCE, read_tempo

_SPREAD = 1.5  # bins, deviation of the target around the annotated tempo
_MOST_MOVED = 16  # bins that a tempogram is moved, a seventh faster or slower
_GAINS = 0.2  # deviation of the gains that channels of chroma get
_SMOOTHING = 0.1


@dataclass(frozen=True, eq=False)
class Measured:
    """How right the answers of a head are.

    Attributes:
        points: 0 to 1 of each answer (n,), by the name of the figure; the first are 0 or 1: whether
            it is right.
        confidence: 0 to 1 (n,).
    """

    points: Mapping[str, NDArray[Any]]
    confidence: NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """What a head learns.

    Attributes:
        annotations: what is known of tracks by their ID.
        inputs: from a standardised log-mel to what the head takes.
        front: trains the net that the others hear the head's only input through, behind a front
            end, by a seed; None where they take it as it is.
        make: a fresh net.
        loss: of a net for a batch of inputs and truths; augments them.
        inside: which classes are right, bool (n, n_classes), for truths (n,).
        measure: how right answers are, from truths (n,) and probabilities (n, n_classes).
        epochs: passes over the tracks.
        lr, weight_decay: of AdamW; one cycle.
        n_nets: that answer together.
    """

    annotations: Callable[[], Mapping[str, float]]
    inputs: Callable[[NDArray[np.float32], FeatureConfig], Inputs]
    front: Callable[[FeatureConfig, int], nn.Module] | None
    make: Callable[[], nn.Module]
    loss: Callable[[nn.Module, list[Tensor], Tensor, np.random.Generator], Tensor]
    inside: Callable[[NDArray[np.float64]], NDArray[np.bool_]]
    measure: Callable[[NDArray[np.float64], NDArray[np.float64]], Measured]
    epochs: int
    lr: float
    weight_decay: float
    n_nets: int


def _tempo_loss(
    net: nn.Module, inputs: list[Tensor], bpm: Tensor, rng: np.random.Generator
) -> Tensor:
    """Cross-entropy with the annotated tempo, the whole batch made faster or slower alike."""
    tempogram, timbre = inputs
    moved = int(rng.integers(-_MOST_MOVED, _MOST_MOVED + 1))
    if moved > 0:
        tempogram = functional.pad(tempogram[:, :, :-moved], (moved, 0))
    elif moved < 0:
        tempogram = functional.pad(tempogram[:, :, -moved:], (0, -moved))
    place = torch.log2(bpm / LOWEST_BPM) * BINS_PER_OCTAVE + moved
    within = (place >= 0) & (place < N_TEMPI)
    target = torch.exp(-0.5 * ((torch.arange(N_TEMPI) - place[:, None]) / _SPREAD) ** 2)
    target /= target.sum(dim=1, keepdim=True).clamp_min(1e-9)
    losses = -(target * functional.log_softmax(net(tempogram, timbre), dim=1)).sum(dim=1)
    return losses[within].mean()


def _key_loss(
    net: nn.Module, inputs: list[Tensor], key: Tensor, rng: np.random.Generator
) -> Tensor:
    """Cross-entropy with the annotated key, of a part of each clip, its octaves louder or not."""
    (chroma,) = inputs
    n_blocks = chroma.shape[3]
    length = int(rng.integers(max(1, n_blocks // 2), n_blocks + 1))
    start = int(rng.integers(0, n_blocks - length + 1))
    part = chroma[:, :, :, start : start + length]
    gains = 1 + _GAINS * torch.randn(len(part), part.shape[1], 1, 1)
    return functional.cross_entropy(net(part * gains), key.long(), label_smoothing=_SMOOTHING)


def _pitch(config: FeatureConfig, seed: int) -> nn.Module:
    return train_pitch(config, seed=seed)


def _near_tempo(bpm: NDArray[np.float64]) -> NDArray[np.bool_]:
    near: NDArray[np.bool_] = np.abs(tempi() / bpm[:, None] - 1) <= TOLERANCE
    return near


def _is_key(keys: NDArray[np.float64]) -> NDArray[np.bool_]:
    is_key: NDArray[np.bool_] = np.arange(len(KEYS)) == keys[:, None]
    return is_key


def _measure_tempi(bpm: NDArray[np.float64], probs: NDArray[np.float64]) -> Measured:
    answers = [read_tempo(row) for row in probs]
    right, multiple = tempo_hits(bpm, [answer.bpm for answer in answers])
    confidence = np.array([answer.confidence for answer in answers])
    return Measured({"accuracy1": right, "accuracy2": multiple}, confidence)


def _measure_keys(keys: NDArray[np.float64], probs: NDArray[np.float64]) -> Measured:
    named = probs.argmax(axis=1)
    points = {"correct": named == keys, "weighted": key_points(keys, named)}
    return Measured(points, probs.max(axis=1))


TASKS: dict[str, Task] = {
    TEMPO: Task(
        known_tempos, tempo_inputs, None, TempoNet, _tempo_loss, _near_tempo, _measure_tempi,
        epochs=25, lr=3e-3, weight_decay=0.02, n_nets=3,
    ),
    KEY: Task(
        known_keys, key_inputs, _pitch, KeyNet, _key_loss, _is_key, _measure_keys,
        epochs=25, lr=5e-3, weight_decay=0.05, n_nets=5,
    ),
}  # fmt: skip
"""What can be learned, by its name in a bundle."""
