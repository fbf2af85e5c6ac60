"""The front end: sound in, decibels out, the same numbers for training and for use.

STFT and log-mel as librosa 0.11 defines them (periodic Hann window, centred frames, zero padding,
power spectrum, Slaney mel scale and norm, ``power_to_db(ref=max, amin=1e-10)``), in numpy alone.
Frames are made in chunks that stay in the processor's cache, transformed in float32, and meet only
the part of the mel filterbank that is not zero.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import lru_cache
from mmap import mmap
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrescope.features.config import FeatureConfig
from genrescope.features.mel import mel_filterbank
from genrescope.features.outliers import (
    Levels,
    frames_at_edges,
    frames_within,
    n_inaudible,
    replace,
)
from genrescope.features.stft import FRAMES_AT_ONCE, as_mono, squared_spectra

Float32 = NDArray[np.float32]

AMIN = 1e-10
"""The smallest power that decibels tell, librosa's."""
# OpenBLAS hands a product of more multiplications than this to several threads, which costs more
# than it brings at these sizes, and very much more when the other cores are busy.
_SERIAL_PRODUCT = 2**18
_STANDARDISED_AT_ONCE = 2**18  # values
_CHUNKS_AT_ONCE = 64  # joined before the clip is; 2 MB of 128 bands


def compute_features(blocks: Iterable[ArrayLike], config: FeatureConfig) -> Float32:
    """The features that a configuration asks for, by its kind.

    Args:
        blocks: arrays (n_samples,) of any lengths, together at least one sample.

    Returns:
        float32 (n_bins, n_frames): dB from ``-top_db`` to 0, or the samples of a waveform.

    Raises:
        ValueError: no samples, or more than one channel.
    """
    return _EXTRACTORS[config.kind](blocks, config)


def _joined(blocks: Iterable[ArrayLike]) -> Float32:
    return np.concatenate([np.empty(0, np.float32), *(as_mono(block) for block in blocks)])


def _stft(blocks: Iterable[ArrayLike], config: FeatureConfig) -> Float32:
    return stft_db(_joined(blocks), config)


def _waveform(blocks: Iterable[ArrayLike], config: FeatureConfig) -> Float32:
    samples = _joined(blocks)
    if samples.size == 0:
        raise ValueError("there are no samples to analyse")
    return samples[np.newaxis]


def stft_db(samples: ArrayLike, config: FeatureConfig) -> Float32:
    """Power spectrogram of a clip in dB relative to its maximum.

    Args:
        samples: (n_samples,), finite; at least one.

    Returns:
        float32 (n_fft // 2 + 1, n_frames), from ``-top_db`` to 0; a silent clip is 0 throughout.

    Raises:
        ValueError: no samples, or more than one channel.
    """
    x = as_mono(samples)
    power = np.empty((config.n_fft // 2 + 1, config.frames(len(x))), dtype=np.float32)
    levels = Levels(config.sr)
    start = 0
    for squares in squared_spectra(levels.watch([x]), config):
        end = start + len(squares)
        np.add(squares[:, ::2].T, squares[:, 1::2].T, out=power[:, start:end])
        start = end
    power *= np.float32(config.n_fft**2)
    audible = np.zeros((n_inaudible(config), power.shape[1]), np.float32)
    _leave_out(power, audible, levels, config)
    return _decibels(power, config.top_db)


def log_mel(samples: ArrayLike, config: FeatureConfig) -> Float32:
    """Mel spectrogram of a clip in dB relative to its maximum.

    Args:
        samples: (n_samples,), finite; at least one.

    Returns:
        float32 (n_mels, n_frames), from ``-top_db`` to 0; a silent clip is 0 throughout.

    Raises:
        ValueError: no samples, more than one channel, or a configuration without mel bands.
    """
    return log_mel_stream([as_mono(samples)], config)


def log_mel_stream(blocks: Iterable[ArrayLike], config: FeatureConfig) -> Float32:
    """`log_mel` of sound that comes in blocks, bit for bit that of the blocks joined.

    Memory is bounded by the largest block and little more than the result.

    Args:
        blocks: arrays (n_samples,) of any lengths, together at least one sample.

    Returns:
        float32 (n_mels, n_frames), as from `log_mel`.

    Raises:
        ValueError: as for `log_mel`.
    """
    bands = _bands(config)
    lowest = _audible_weights(config)
    column = 2 * n_inaudible(config)
    levels = Levels(config.sr)
    chunks, audible = _Columns(), []
    for squares in squared_spectra(levels.watch(map(as_mono, blocks)), config):
        audible.append(lowest @ squares[:, column : column + lowest.shape[1]].T)
        mel = np.zeros((config.n_bins, len(squares)), dtype=np.float32)
        for first, low, weights in bands:
            rows, columns = weights.shape
            np.matmul(weights, squares[:, low : low + columns].T, out=mel[first : first + rows])
        chunks.append(mel)
    power = chunks.joined()
    _leave_out(power, np.concatenate(audible, axis=1), levels, config)
    return _decibels(power, config.top_db)


class _Columns:
    """Columns of an array that come in chunks, joined without holding all of them twice."""

    def __init__(self) -> None:
        self._parts: list[Float32] = []
        self._chunks: list[Float32] = []

    def append(self, chunk: Float32) -> None:
        """Add (n_rows, n_columns)."""
        self._chunks.append(chunk)
        if len(self._chunks) == _CHUNKS_AT_ONCE:
            shape = len(chunk), sum(each.shape[1] for each in self._chunks)
            self._parts.append(np.concatenate(self._chunks, axis=1, out=_mapped(shape)))
            self._chunks.clear()

    def joined(self) -> Float32:
        """All that was added, at least one column; gives up what it holds."""
        if not self._parts:
            return np.concatenate(self._chunks, axis=1)
        parts = deque([*self._parts, *self._chunks])
        self._parts, self._chunks = [], []
        joined = _mapped((len(parts[0]), sum(part.shape[1] for part in parts)))
        start = 0
        while parts:
            part = parts.popleft()
            joined[:, start : start + part.shape[1]] = part
            start += part.shape[1]
        return joined


def _mapped(shape: tuple[int, int]) -> Float32:
    """An array in memory of its own, taken page by page and given back as soon as it is let go.

    numpy's is neither: it asks for large pages, of which the first columns touch every one, and
    what it frees the allocator may keep.
    """
    return np.frombuffer(mmap(-1, 4 * shape[0] * shape[1]), np.float32).reshape(shape)


_EXTRACTORS: dict[str, Callable[[Iterable[ArrayLike], FeatureConfig], Float32]] = {
    "mel": log_mel_stream,
    "stft": _stft,
    "waveform": _waveform,
}


class Scale(NamedTuple):
    """What standardising takes off a clip, and what it divides by.

    Attributes:
        mean: of the clip.
        rest: of what rounding the mean left over.
        deviation: standard deviation; infinite for a constant clip, which becomes zeros.
    """

    mean: np.float32
    rest: np.float32
    deviation: np.float32

    @classmethod
    def of(cls, x: ArrayLike) -> Scale:
        """The scale of a clip's features, (n_bins, n_frames), in little memory beside them."""
        x = np.asarray(x, dtype=np.float32)
        if x.size == 0 or x.max() == x.min():
            return cls(np.float32(x.flat[0] if x.size else 0), np.float32(0), np.float32(np.inf))
        mean = np.float32(x.mean(dtype=np.float64))
        rows = x.reshape(-1, x.shape[-1])
        at_once = max(1, _STANDARDISED_AT_ONCE // x.shape[-1])
        parts = [rows[i : i + at_once] for i in range(0, len(rows), at_once)]
        rest = np.float32(sum(float((p - mean).sum(dtype=np.float64)) for p in parts) / x.size)
        total = 0.0
        for part in parts:
            centred = part - mean
            centred -= rest
            total += float(np.vecdot(centred, centred).sum(dtype=np.float64))
        return cls(mean, rest, np.float32((total / x.size) ** 0.5))

    def apply(self, x: ArrayLike) -> Float32:
        """A part of the clip, of any shape, standardised with the whole of it."""
        scaled: Float32 = np.asarray(x, dtype=np.float32) - self.mean
        scaled -= self.rest
        scaled /= self.deviation
        return scaled


def standardise(x: ArrayLike) -> Float32:
    """A clip's features with mean 0 and standard deviation 1; a constant clip becomes zeros.

    Args:
        x: features of one clip, (n_bins, n_frames).

    Returns:
        float32, the shape of ``x``.
    """
    return Scale.of(x).apply(x)


def _leave_out(power: Float32, audible: Float32, levels: Levels, config: FeatureConfig) -> None:
    """Take from a clip's power, in place, what must not decide about it; see `outliers`.

    Args:
        power: (n_bins, n_frames).
        audible: the first rows of it without the Fourier bins that nobody hears.
        levels: of the whole clip.
    """
    n_frames = power.shape[1]
    bad = frames_within(levels.outliers(), config, n_frames)
    lowest = power[: len(audible)].sum(axis=0)[~bad].sum()
    in_band = audible.sum(axis=0)[~bad].sum()
    if lowest - in_band > in_band + power[len(audible) :].sum(axis=0)[~bad].sum():
        power[: len(audible)] = audible
        bad |= frames_at_edges(config, n_frames, levels.n_samples)
    replace(power, bad)


def _decibels(power: Float32, top_db: float) -> Float32:
    """Power to dB relative to the maximum, in place; librosa's `power_to_db` with ``ref=max``."""
    np.maximum(power, np.float32(AMIN), out=power)
    np.log10(power, out=power)
    power *= np.float32(10.0)
    power -= power.max()
    np.maximum(power, np.float32(-top_db), out=power)
    return power


@lru_cache(maxsize=16)
def _bands(config: FeatureConfig) -> tuple[tuple[int, int, Float32], ...]:
    """The filterbank cut into dense blocks around its diagonal.

    Each block is (first mel band, first column, weights (bands, columns)); columns count the
    interleaved squares of `squared_spectra`, so each Fourier bin's weight stands twice and the
    product itself adds real and imaginary part; times n_fft^2, which the squares lack.
    """
    bank = mel_filterbank(config)
    filled = [(np.flatnonzero(row)[[0, -1]] if row.any() else None) for row in bank]
    blocks: list[tuple[int, int, Float32]] = []
    first = 0
    while first < len(bank):
        end, low, high = first, bank.shape[1], 0
        while end < len(bank):
            span = filled[end]
            wider = (low, high) if span is None else (min(low, span[0]), max(high, span[1] + 1))
            size = (end + 1 - first) * 2 * max(0, wider[1] - wider[0]) * FRAMES_AT_ONCE
            if end > first and (size > _SERIAL_PRODUCT or end - first == 8):
                break
            (low, high), end = wider, end + 1
        if low < high:
            weights = np.repeat(bank[first:end, low:high], 2, axis=1) * np.float32(config.n_fft**2)
            blocks.append((first, 2 * int(low), weights))
        first = end
    return tuple(blocks)


@lru_cache(maxsize=16)
def _audible_weights(config: FeatureConfig) -> Float32:
    """Weights of the first mel bands on interleaved squares, from the first audible bin on."""
    first = n_inaudible(config)
    bank = mel_filterbank(config)
    rows = np.flatnonzero(bank[:, :first].any(axis=1))
    rows = np.arange(rows[-1] + 1 if len(rows) else 0)
    columns = np.flatnonzero(bank[rows].any(axis=0))
    end = max(first, columns[-1] + 1 if len(columns) else 0)
    weights = np.repeat(bank[rows, first:end], 2, axis=1) * np.float32(config.n_fft**2)
    return np.asarray(weights, np.float32)
