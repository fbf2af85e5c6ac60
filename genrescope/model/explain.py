"""Why a net names a genre: which parts of the spectrogram decide, in cells, words and sound."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrescope.audio.waveform import Waveform
from genrescope.errors import AudioError
from genrescope.features.config import FeatureConfig
from genrescope.features.masking import mask_sound
from genrescope.features.mel import mel_edges
from genrescope.model.bundle import Bundle
from genrescope.model.clip import Clip
from genrescope.model.inference import Net, prepare
from genrescope.model.occlusion import N_PATCHES, Fidelity, Occluder
from genrescope.model.prediction import SILENT, Prediction
from genrescope.progress import Progress, no_progress

DECIDED, INDIFFERENT, AGAINST = "what decided", "what did not matter", "what spoke against"
"""Names of the three sounds."""

PARTS = (DECIDED, INDIFFERENT, AGAINST)
"""All of them, in the order in which they are sent."""

BLUR_BANDS, BLUR_TIMES = 0.5, 0.9
"""Standard deviations, in cells, of the Gaussian by which the mask blurs the grid.

If it is much wider, what speaks against drowns single cells that decide, and their sound is lost.
"""

Array = NDArray[Any]

REGIONS_HZ = (
    (200.0, "bass"),
    (500.0, "low mids"),
    (2000.0, "mids"),
    (5000.0, "upper mids"),
    (np.inf, "treble"),
)
"""What people call parts of the spectrum: upper edge in Hz, and name."""

REGIONS_TOP_HZ = 11_025.0
"""Upper edge of the last of them, as far as it is heard here."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """Which parts of a recording speak for a genre.

    Attributes:
        prediction: what the classifier says of the recording.
        genre: the genre that is explained.
        cells: float64 (n_bands, n_times), lowest band first: by how much the log odds of the
            genre fall where the surroundings of a cell are hidden and rise where they are all
            there is, in nats, the mean of both; below 0 it speaks against.
        bands_hz: float64 (n_bands + 1,), edges of the cells in Hz.
        times: float64 (n_times + 1,), edges of the cells in s.
        fidelity: how true it is.
        features: float32 (n_bins, n_frames), dB, of the recording.
        waveform: the recording at the front end's rate, which `sounds` needs; None without it.
    """

    prediction: Prediction
    genre: str
    cells: NDArray[np.float64]
    bands_hz: NDArray[np.float64]
    times: NDArray[np.float64]
    fidelity: Fidelity
    features: NDArray[np.float32]
    waveform: Waveform | None
    _frames: NDArray[np.int64]
    _config: FeatureConfig

    @cached_property
    def words(self) -> str:
        """The explanation in one sentence without a full stop."""
        if not self.fidelity.decisive or self.cells.max() <= 0:
            return "no single part decided"
        support = np.maximum(self.cells, 0)
        bands = _leading(support.sum(axis=1))
        times = _leading(support[bands].sum(axis=0))
        regions = _regions(self.bands_hz[bands[0]], self.bands_hz[bands[-1] + 1])
        start, end = _seconds(self.times[times[0]], self.times[times[-1] + 1])
        whole = len(times) == len(self.times) - 1
        when = "throughout" if whole else f"from {start} to {end} s"
        return f"mostly the {regions} ({_range_hz(self.bands_hz, bands)}), {when}"

    def mask(self) -> NDArray[np.float64]:
        """What decided, as a mask over the features of the recording.

        Returns:
            float64 (n_bins, n_frames), -1 (speaks against) to 1 (decided); 0 where it is silent.
        """
        mask = np.zeros(self.features.shape)
        mask[:, self._frames] = _smooth(self.cells, len(mask), len(self._frames))
        strongest = np.abs(mask).max()
        return mask / strongest if strongest else mask

    def sounds(self) -> dict[str, Waveform]:
        """The recording's own sound in three parts: `DECIDED`, `INDIFFERENT`, `AGAINST`.

        Each is the recording with the rest turned down, at the front end's rate, as long as the
        recording and in its own phase. They are not yet equally loud.

        Raises:
            ValueError: there is no waveform.
        """
        if self.waveform is None:
            raise ValueError("there are no samples to be heard in parts")
        samples, sr = self.waveform.samples, self.waveform.sr
        mask = self.mask()
        parts = {
            DECIDED: np.maximum(mask, 0),
            INDIFFERENT: 1 - np.abs(mask),
            AGAINST: np.maximum(-mask, 0),
        }
        return {
            name: Waveform(mask_sound(samples, part, self._config), sr)
            for name, part in parts.items()
        }

    def to_dict(self) -> dict[str, Any]:
        """The explanation as JSON-ready values."""
        return {
            "genre": self.genre,
            "probability": round(self._probability, 6),
            "words": self.words,
            "bands_hz": np.round(self.bands_hz, 1).tolist(),
            "times": np.round(self.times, 3).tolist(),
            "cells": np.round(self.cells, 4).tolist(),
            "moments": [
                {
                    "start": round(float(start), 3),
                    "end": round(float(end), 3),
                    "probability": round(float(probability), 6),
                }
                for (start, end), probability in zip(
                    self.prediction.step_times, self._of_genre(self.prediction.step_probs),
                    strict=True,
                )
            ],
            "decisive": self.fidelity.decisive,
            **{name: round(value, 4) for name, value in vars(self.fidelity).items()},
            "bundle": self.prediction.bundle,
        }  # fmt: skip

    def _of_genre(self, probs: Array) -> Array:
        return probs[..., self.prediction.labels.index(self.genre)]

    @property
    def _probability(self) -> float:
        return float(self._of_genre(self.prediction.clip_probs))


def explain(
    bundle: Bundle,
    net: Net,
    clip: Clip,
    prediction: Prediction,
    *,
    waveform: Waveform | None = None,
    genre: str | None = None,
    name: str = "recording",
    seed: int = 0,
    progress: Progress = no_progress,
) -> Explanation:
    """Explain a prediction; see `Classifier.explain`, which gathers what this takes.

    Args:
        bundle, net: what answered.
        clip: the features of the recording.
        prediction: the answer.
        waveform: the recording at the front end's rate, where its parts are to be heard.
        genre: what to explain; the genre named by default.
        name: of the recording, in errors.
        seed: of the random orders.
        progress: called with the steps done, the steps in all, and ``name``.

    Raises:
        AudioError: the recording is silent.
        ValueError: the bundle knows no such genre.
    """
    if SILENT in prediction.flags:
        raise AudioError(name, "it is silent", "There is nothing to explain.")
    chosen = genre or prediction.genre
    if chosen not in bundle.labels:
        raise ValueError(f"there is no genre {chosen!r}; there are {', '.join(bundle.labels)}")
    prepared = prepare(clip.log_mel, bundle.features)
    hidden = Occluder(bundle, net, prepared, bundle.labels.index(chosen))
    n_steps = N_PATCHES + 2 + hidden.n_random

    def report(done: int) -> None:
        progress(done, n_steps, name)

    cells = hidden.weights(report)
    fidelity = hidden.fidelity(cells, np.random.default_rng(seed), lambda n: report(N_PATCHES + n))
    rate = bundle.features.frame_rate
    last = prepared.frames[-1] + 1
    edges = np.append(prepared.frames, last)[hidden.time_edges] / rate
    return Explanation(
        prediction=prediction,
        genre=chosen,
        cells=cells,
        bands_hz=mel_edges(bundle.features)[hidden.band_edges],
        times=np.minimum(edges, clip.duration_s),
        fidelity=fidelity,
        features=clip.log_mel,
        waveform=waveform,
        _frames=prepared.frames,
        _config=bundle.features,
    )


def _smooth(cells: NDArray[np.float64], n_bins: int, n_frames: int) -> NDArray[np.float64]:
    """The grid's weights at each bin and frame, (n_bins, n_frames).

    Each is the mean of all cells, weighted by how near their centres are: where the grid happens
    to lie shall not show, nor change what is heard when the recording begins a little later.
    """
    bands = _nearness(cells.shape[0], n_bins, BLUR_BANDS)
    times = _nearness(cells.shape[1], n_frames, BLUR_TIMES)
    return bands @ cells @ times.T


def _nearness(n_cells: int, length: int, blur: float) -> NDArray[np.float64]:
    """How much each of the cells counts at each place, (length, n_cells); rows sum to 1."""
    places = (np.arange(length) + 0.5) * n_cells / length - 0.5
    weights = np.exp(-0.5 * ((places[:, np.newaxis] - np.arange(n_cells)) / blur) ** 2)
    normalised: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return normalised


def _leading(weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """The strongest index and its neighbours that reach half of it, int64, rising."""
    enough = weights >= weights.max() / 2
    first = last = int(weights.argmax())
    while first > 0 and enough[first - 1]:
        first -= 1
    while last + 1 < len(weights) and enough[last + 1]:
        last += 1
    return np.arange(first, last + 1)


def _regions(low_hz: float, high_hz: float) -> str:
    """What people call a range of the spectrum."""
    below = 0.0
    names = []
    for edge, name in REGIONS_HZ:
        overlap = min(high_hz, edge) - max(low_hz, below)
        if overlap > 0.2 * (min(edge, REGIONS_TOP_HZ) - below) or overlap >= 0.5 * (
            high_hz - low_hz
        ):
            names.append(name)
        below = edge
    if len(names) == len(REGIONS_HZ):
        return "whole spectrum"
    return " and ".join(dict.fromkeys((names[0], names[-1]))) if names else "mids"


def _seconds(start: float, end: float) -> tuple[int, int]:
    """Whole seconds from one to another time, at least one."""
    first, last = math.floor(start + 0.5), math.floor(end + 0.5)  # as JavaScript rounds
    return (first, last) if first < last else (math.floor(start), math.floor(start) + 1)


def _range_hz(edges: NDArray[np.float64], bands: NDArray[np.int64]) -> str:
    low, high = edges[bands[0]], edges[bands[-1] + 1]
    return f"{round(low, -1):.0f} to {round(high, -1):.0f} Hz"
