"""What must not decide about a clip: single pops and thumps, and what lies below hearing.

A pop far over the music would set the level that all decibels are relative to, and so would a
constant offset. Frames in which one is heard are replaced by their neighbours; what lies below
hearing is left out where it outweighs all the rest. Nothing else is touched: of 496 clips of GTZAN
and elsewhere, none shorter than two seconds, nothing short stands out by more than 10.5 dB, and
the inaudible has a twentieth of the power at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from genrescope.features.config import FeatureConfig

Float32 = NDArray[np.float32]

CELL_S = 0.01
"""Stretches by whose levels a clip is looked over."""
OUTLYING = {1: 10 ** (12 / 20), 3: 10 ** (24 / 20)}
"""How far over the rest of the clip one outlier is, or up to three are: factors of the amplitude.
More are a part of the clip."""
LONGEST_S = 0.1
"""How long it stands so far out; music as short and loud as this comes again."""
MOST_OF_CLIP = 0.1
"""Share of a clip that outliers may take."""
SILENCE = 1e-4
"""Amplitude; what stands out of silence is the sound itself."""
BRIDGED = 3
"""Cells between two parts of one outlier."""
INAUDIBLE_HZ = 20.0


class Levels:
    """Levels of a clip's cells, half of the range of the samples, taken while it passes.

    Args:
        sr: sample rate in Hz.

    Attributes:
        n_samples: that have passed.
    """

    def __init__(self, sr: int) -> None:
        self.cell_length = max(1, round(CELL_S * sr))
        self.n_samples = 0
        self._levels: list[Float32] = []
        self._rest = np.empty(0, np.float32)

    def watch(self, blocks: Iterable[Float32]) -> Iterator[Float32]:
        """The same blocks; the levels do not depend on how the clip is divided into them."""
        for block in blocks:
            self.n_samples += len(block)
            self._take(block)
            yield block

    def _take(self, block: Float32) -> None:
        length = self.cell_length
        if len(self._rest):
            head = block[: length - len(self._rest)]
            self._rest, block = np.concatenate([self._rest, head]), block[len(head) :]
            if len(self._rest) < length:
                return
            self._levels.append(_half_range(self._rest[np.newaxis]))
        whole = len(block) // length * length
        self._levels.append(_half_range(block[:whole].reshape(-1, length)))
        self._rest = block[whole:].copy()

    def outliers(self) -> list[tuple[int, int]]:
        """Where outliers begin and end, in samples from the start of the clip."""
        rest = [_half_range(self._rest[np.newaxis])] if len(self._rest) else []
        spans = _outliers(np.concatenate([*self._levels, *rest, np.empty(0, np.float32)]))
        return [(start * self.cell_length, end * self.cell_length) for start, end in spans]


def _half_range(cells: Float32) -> Float32:
    """(n_cells,) of (n_cells, n_samples); a constant offset does not count."""
    half: Float32 = (cells.max(axis=1) - cells.min(axis=1)) / 2
    return half


def _outliers(levels: Float32) -> list[tuple[int, int]]:
    """Cells at which outliers begin and end."""
    longest = round(LONGEST_S / CELL_S)
    for n_most, factor in OUTLYING.items():
        n_cells = min(n_most * longest, int(MOST_OF_CLIP * len(levels)))
        if not n_cells:
            continue
        rest = np.partition(levels, -n_cells - 1)[-n_cells - 1]  # the loudest of all others
        spans = _spans(levels > factor * rest, bridged=BRIDGED)
        short = all(end - start <= longest for start, end in spans)
        if rest > SILENCE and 0 < len(spans) <= n_most and short:
            return [_widened(levels > rest, start, end) for start, end in spans]
    return []


def _spans(mask: NDArray[np.bool_], *, bridged: int) -> list[tuple[int, int]]:
    """Beginnings and ends of what is true, across gaps of a few cells."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False)).reshape(-1, 2).tolist()
    spans: list[tuple[int, int]] = []
    for start, end in edges:
        if spans and start - spans[-1][1] <= bridged:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans


def _widened(mask: NDArray[np.bool_], start: int, end: int) -> tuple[int, int]:
    """The span with all that is true next to it: how an outlier swells and dies away."""
    while start > 0 and mask[start - 1]:
        start -= 1
    while end < len(mask) and mask[end]:
        end += 1
    return start, end


def frames_within(
    spans: Iterable[tuple[int, int]], config: FeatureConfig, n_frames: int
) -> NDArray[np.bool_]:
    """Which frames of a spectrogram see samples of the spans."""
    half = config.n_fft // 2
    seen = np.zeros(n_frames, bool)
    for start, end in spans:
        first = max(0, -(-(start - half) // config.hop_length))
        seen[first : max(first, -(-(end + half) // config.hop_length))] = True
    return seen


def frames_at_edges(config: FeatureConfig, n_frames: int, n_samples: int) -> NDArray[np.bool_]:
    """Which frames reach beyond the clip, where an offset begins and ends with a step."""
    return frames_within(
        [(-config.n_fft, 0), (n_samples, n_samples + config.n_fft)], config, n_frames
    )


def replace(power: Float32, bad: NDArray[np.bool_]) -> None:
    """Put the nearest good frame in place of each bad one; nothing where all are bad.

    Args:
        power: (n_bins, n_frames), changed in place.
        bad: (n_frames,).
    """
    good = np.flatnonzero(~bad)
    if not len(good):
        return
    for frame in np.flatnonzero(bad):
        power[:, frame] = power[:, good[np.abs(good - frame).argmin()]]


def n_inaudible(config: FeatureConfig) -> int:
    """Fourier bins that hold what lies below hearing, and what the window spreads of it."""
    return 1 + int(np.ceil(INAUDIBLE_HZ * config.n_fft / config.sr))
