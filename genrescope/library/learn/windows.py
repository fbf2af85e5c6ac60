"""A head is fitted on whole clips, and answers for windows whose probabilities are averaged.

The average is less sure than the head is of the clip, so that the temperature that suits the one
does not suit the other. Some tracks are heard again to see by how much.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrescope.library.judge import predictions
from genrescope.library.learn.head import Head
from genrescope.model.bundle import Bundle
from genrescope.model.inference import clip_probabilities, softmax

N_TRACKS = 60
"""How many are heard again: enough for one number, in seconds."""

_FACTORS = np.exp(np.linspace(-1.6, 0.7, 93))


@dataclass(frozen=True, eq=False)
class Taught:
    """A track that a head was fitted on.

    Attributes:
        path: where it lies.
        row: (d,), what the head sees of the whole clip.
    """

    path: str
    row: NDArray[np.float64]


def window_temperature(bundle: Bundle, head: Head, tracks: Sequence[Taught], *, seed: int) -> float:
    """The temperature by which windows' averages are as sure as the head is of whole clips.

    Args:
        bundle: with the head, and with the temperature of whole clips.
        tracks: to choose `N_TRACKS` from; those that cannot be heard any more are passed over.
        seed: of the choice.

    Returns:
        The one that brings both nearest to each other (the least mean Kullback-Leibler divergence);
        the bundle's own where no track can be heard.
    """
    order = np.random.default_rng(seed).permutation(len(tracks))[:N_TRACKS]
    chosen = [tracks[i] for i in order.tolist()]
    answers = predictions(os.fspath(bundle.path), [track.path for track in chosen])
    whole, windows = [], []
    for track, prediction in zip(chosen, answers, strict=True):
        if isinstance(prediction, str):
            continue
        logits = head.logits(track.row[None])
        whole.append(softmax(logits[0], bundle.temperature))
        windows.append(np.log(np.maximum(prediction.probs.astype(np.float64), 1e-12)))
    if not whole:
        return bundle.temperature
    clips = np.array(whole)
    losses = []
    for factor in _FACTORS:
        means = np.array([clip_probabilities(rows, factor) for rows in windows])
        losses.append(float(-(clips * np.log(np.maximum(means, 1e-12))).sum(axis=1).mean()))
    return bundle.temperature * float(_FACTORS[int(np.argmin(losses))])
