"""The front end: sound in, decibels out, the same numbers for training and for use.

STFT and log-mel as librosa 0.11 defines them (periodic Hann window, centred frames, zero padding,
power spectrum, Slaney mel scale and norm, ``power_to_db(ref=max, amin=1e-10)``), in numpy alone.
Frames are made in chunks that stay in the processor's cache, transformed in float32, and meet only
the part of the mel filterbank that is not zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

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

    Memory is bounded by the largest block and twice the result.

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
    chunks, audible = [], []
    for squares in squared_spectra(levels.watch(map(as_mono, blocks)), config):
        audible.append(lowest @ squares[:, column : column + lowest.shape[1]].T)
        mel = np.zeros((config.n_bins, len(squares)), dtype=np.float32)
        for first, low, weights in bands:
            rows, columns = weights.shape
            np.matmul(weights, squares[:, low : low + columns].T, out=mel[first : first + rows])
        chunks.append(mel)
    power = np.concatenate(chunks, axis=1)
    _leave_out(power, np.concatenate(audible, axis=1), levels, config)
    return _decibels(power, config.top_db)


_EXTRACTORS: dict[str, Callable[[Iterable[ArrayLike], FeatureConfig], Float32]] = {
    "mel": log_mel_stream,
    "stft": _stft,
    "waveform": _waveform,
}


def standardise(x: ArrayLike) -> Float32:
    """A clip's features with mean 0 and standard deviation 1; a constant clip becomes zeros.

    Args:
        x: features of one clip, (n_bins, n_frames).

    Returns:
        float32, the shape of ``x``.
    """
    x = np.asarray(x, dtype=np.float32)
    if x.size == 0 or x.max() == x.min():
        return np.zeros_like(x)
    scaled: Float32 = x - np.float32(x.mean(dtype=np.float64))
    scaled -= np.float32(scaled.mean(dtype=np.float64))  # what rounding the mean left over
    # Row by row: a float64 copy of a two-hour clip would double what the clip takes.
    total = sum(float(np.dot(row, row)) for row in scaled.reshape(-1, x.shape[-1]))
    scaled /= np.float32((total / x.size) ** 0.5)
    return scaled


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
