"""How much the parts of a clip matter to a net that names a genre, and how faithful that is.

Occlusion: each patch of some bands and some time is replaced by its bands' own means, so that no
hole is itself a cue, and the genre's log odds fall (Zeiler and Fergus 2014, "Visualizing and
Understanding Convolutional Networks"); and each is put alone into a clip of bands' means, and they
rise. A patch's weight is the mean of both: the first alone misses what several patches say alike,
the second what only several say together. In time patches overlap by half, and a cell of the grid,
half as long as they are, has the mean weight of those that cover it: so where the grid happens to
begin matters little. How true it is, deletion and insertion tell
(Petsiuk, Das and Saenko 2018, "RISE"): cells are taken away, or put into a clip of
bands' means, in the order of their weights, and the mean probability of the genre on the way stands
beside that of random orders.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrescope.features.windows import take
from genrescope.model.bundle import Bundle
from genrescope.model.clip import Clip
from genrescope.model.inference import Net, PreparedClip, prepare, softmax

N_BANDS, N_TIMES = 8, 20
"""Cells of the grid over mel bands, and over time."""

PATCH_TIMES = 2
"""How many cells, one after the other, are hidden or shown at once."""

N_PATCHES = N_TIMES - PATCH_TIMES + 1
"""Patches over time, of each band."""

N_STEPS = 10
"""Steps of the deletion and insertion curves."""

N_RANDOM = 4
"""Random orders that the curves of a recording of one window are compared with.

Of several windows each order hides other parts, so that fewer orders see as many cases. Taking away
and putting in at random are the same in the mean, so the same orders serve both.
"""

_BATCH_FRAMES = 1300  # given to the net at a time


@dataclass(frozen=True)
class Fidelity:
    """How faithful an explanation is: mean probabilities of the genre along a curve, 0 to 1.

    Attributes:
        deletion_auc: as cells are taken away, most important first; low is good.
        insertion_auc: as cells are put in, most important first; high is good.
        random_deletion_auc, random_insertion_auc: the same in random order, see `N_RANDOM`.
    """

    deletion_auc: float
    insertion_auc: float
    random_deletion_auc: float
    random_insertion_auc: float

    @property
    def decisive(self) -> bool:
        """Whether the order of the cells tells more than chance, by both curves."""
        return (
            self.deletion_auc < self.random_deletion_auc
            and self.insertion_auc > self.random_insertion_auc
        )


class Occluder:
    """A clip of which cells can be hidden, and what the net then says of a genre."""

    def __init__(self, bundle: Bundle, net: Net, prepared: PreparedClip, label: int) -> None:
        self._net, self._label, self._temperature = net, label, bundle.temperature
        x = prepared.standardised()
        starts, length = bundle.windowing.places(x.shape[1])
        self._windows = take(x, starts, window_length=length)
        means = x.mean(axis=1, dtype=np.float64).astype(np.float32)
        self._filled = np.broadcast_to(means[:, None], self._windows.shape[1:])
        self.band_edges = np.linspace(0, x.shape[0], N_BANDS + 1).round().astype(np.int64)
        self.time_edges = np.linspace(0, x.shape[1], N_TIMES + 1).round().astype(np.int64)
        band = np.repeat(np.arange(N_BANDS), np.diff(self.band_edges))
        time = np.repeat(np.arange(N_TIMES), np.diff(self.time_edges))
        # Which cell each place of each window lies in; a short clip is repeated to fill one.
        frames = np.arange(x.shape[1])[np.newaxis]
        time_of_window = time[take(frames, starts, window_length=length)[:, 0]]
        self._cell = band[np.newaxis, :, None] * N_TIMES + time_of_window[:, None, :]
        held = np.arange(N_BANDS * N_TIMES)
        self._holds = np.stack([np.isin(held, cells) for cells in self._cell])
        self.n_random = math.ceil(N_RANDOM / len(starts))

    @cached_property
    def _whole(self) -> NDArray[np.float64]:
        """Probability of the genre in each window as it is."""
        return self._probs(self._windows)

    @cached_property
    def _nothing(self) -> float:
        """Probability of the genre in a window of bands' means."""
        return float(self._probs(self._filled[np.newaxis].astype(np.float32))[0])

    def weights(self, report: Callable[[int], None]) -> NDArray[np.float64]:
        """How much cells speak for the genre, nats, (N_BANDS, N_TIMES); see `Explanation.cells`."""
        weights = np.zeros((N_BANDS, N_TIMES))
        for first in range(N_PATCHES):
            times = np.arange(first, first + PATCH_TIMES)
            weights[:, times] += self._weights_of_patches(times)[:, np.newaxis]
            report(first + 1)
        n_covering = np.convolve(np.ones(N_PATCHES), np.ones(PATCH_TIMES))
        means: NDArray[np.float64] = weights / n_covering
        return means

    def _weights_of_patches(self, times: NDArray[np.int64]) -> NDArray[np.float64]:
        """How much each band speaks for the genre at some times, nats, (N_BANDS,)."""
        patches = [band * N_TIMES + times for band in range(N_BANDS)]
        touched = self._touched(np.concatenate(patches))
        if not len(touched):  # a clip of fewer frames than there are times
            return np.zeros(N_BANDS)
        hidden = np.concatenate([self._hide(patch, touched) for patch in patches])
        alone = np.concatenate([self._show(patch, touched) for patch in patches])
        probs = self._probs(np.concatenate([hidden, alone])).reshape(2, N_BANDS, len(touched))
        n, whole, nothing = len(self._whole), self._whole.mean(), self._nothing
        without = whole + (probs[0] - self._whole[touched]).sum(axis=1) / n
        with_it = nothing + (probs[1] - nothing).sum(axis=1) / n
        fall = _log_odds(whole) - _log_odds(without)
        rise = _log_odds(with_it) - _log_odds(nothing)
        weights: NDArray[np.float64] = (fall + rise) / 2
        return weights

    def fidelity(
        self, cells: NDArray[np.float64], rng: np.random.Generator, report: Callable[[int], None]
    ) -> Fidelity:
        """Deletion and insertion in the order of the weights, and in random orders."""
        order = np.argsort(-cells.ravel(), kind="stable")
        deletion = self._area(order, keep_first=False)
        report(1)
        insertion = self._area(order, keep_first=True)
        report(2)
        areas = []
        for i in range(self.n_random):
            areas.append(self._area(rng.permutation(cells.size), keep_first=True))
            report(3 + i)
        random = float(np.mean(areas))
        return Fidelity(deletion, insertion, random, random)

    def areas_by_loudness(self) -> tuple[float, float]:
        """Areas of deletion and insertion, loudest cells first."""
        sums = np.bincount(self._cell.ravel(), self._windows.ravel(), N_BANDS * N_TIMES)
        counts = np.bincount(self._cell.ravel(), minlength=N_BANDS * N_TIMES)
        order = np.argsort(-sums / np.maximum(counts, 1), kind="stable")
        return self._area(order, keep_first=False), self._area(order, keep_first=True)

    def _area(self, order: NDArray[np.int64], *, keep_first: bool) -> float:
        """Mean probability of the genre while the first cells alone are kept, or hidden."""
        ends = [np.full(len(self._windows), self._nothing), self._whole]
        first, last = ends if keep_first else ends[::-1]
        probs = first.copy()
        means = [first.mean()]
        edges = np.linspace(0, len(order), N_STEPS + 1).round().astype(np.int64)
        for before, n in itertools.pairwise(edges[:-1]):
            gone = order[n:] if keep_first else order[:n]
            touched = self._touched(order[before:n])
            if len(touched):
                probs[touched] = self._probs(self._hide(gone, touched))
            means.append(probs.mean())
        means.append(last.mean())
        area: float = np.trapezoid(means, dx=1 / N_STEPS)
        return float(area)

    def _touched(self, cells: NDArray[np.int64]) -> NDArray[np.int64]:
        """Windows that hold any of some cells: only these can answer otherwise without them."""
        return np.flatnonzero(self._holds[:, cells].any(axis=1))

    def _hide(self, cells: NDArray[np.int64], windows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Some of the windows with some cells at their bands' means."""
        return np.where(self._lies_in(cells, windows), self._filled, self._windows[windows])

    def _show(self, cells: NDArray[np.int64], windows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Some of the windows with all but some cells at their bands' means."""
        return np.where(self._lies_in(cells, windows), self._windows[windows], self._filled)

    def _lies_in(self, cells: NDArray[np.int64], windows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which places of some windows lie in some cells, (n_windows, n_bins, length)."""
        chosen = np.zeros(N_BANDS * N_TIMES, np.bool_)
        chosen[cells] = True
        places: NDArray[np.bool_] = chosen[self._cell[windows]]
        return places

    def _probs(self, windows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probability of the genre in each window."""
        at_once = max(1, _BATCH_FRAMES // windows.shape[2])
        logits = [
            self._net(np.ascontiguousarray(windows[i : i + at_once], np.float32)).logits
            for i in range(0, len(windows), at_once)
        ]
        return softmax(np.concatenate(logits), self._temperature)[:, self._label]


def areas_by_loudness(bundle: Bundle, net: Net, clip: Clip, genre: str) -> tuple[float, float]:
    """Areas of deletion and insertion where the loudest cells go, or come, first.

    What any explanation has to beat: see `Fidelity`.
    """
    prepared = prepare(clip.log_mel, bundle.features)
    return Occluder(bundle, net, prepared, bundle.labels.index(genre)).areas_by_loudness()


def _log_odds(probs: Any) -> Any:
    probs = np.clip(probs, 1e-6, 1 - 1e-6)
    return np.log(probs / (1 - probs))
