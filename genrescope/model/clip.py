"""From a recording to the features of a clip: decode, resample, front end, and its flags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrescope.audio.decode import LOUDEST, Source, Stream, decode, stream
from genrescope.audio.reader import SR_RANGE_HZ
from genrescope.audio.waveform import Waveform
from genrescope.errors import AudioError, AudioTooLongError
from genrescope.features.spectrogram import compute_features
from genrescope.model.bundle import Bundle
from genrescope.model.prediction import SHORT, SILENT

SILENCE_PEAK = 1e-4  # -80 dBFS: below the noise of any room, above dither


@dataclass(frozen=True, eq=False)
class Clip:
    """A recording as the net's front end sees it.

    Attributes:
        log_mel: float32 (n_bins, n_frames), dB relative to the clip's maximum.
        duration_s: length in seconds.
        flags: ``truncated``, ``short``, ``silent``.
    """

    log_mel: NDArray[np.float32]
    duration_s: float
    flags: tuple[str, ...]


def extract_features(
    bundle: Bundle,
    source: Source | Waveform,
    *,
    name: str | None = None,
    max_duration_s: float | None = None,
) -> Clip:
    """Decode a recording and compute its log-mel; memory is bounded by the latter.

    It needs no net, only the bundle's front end: the net may be loaded meanwhile. Arguments
    and errors are those of `Classifier.classify`.
    """
    config = bundle.features
    sound: Waveform | Stream
    if isinstance(source, Waveform):
        sound = source
        meter = _Meter([_resampled(source, config.sr, name or "recording", max_duration_s)])
    else:
        sound = stream(source, sr=config.sr, max_duration_s=max_duration_s, name=name)
        meter = _Meter(sound)
    log_mel = compute_features(meter, config)
    flags = list(sound.flags)  # a stream knows all of them only now
    duration_s = meter.n_samples / config.sr
    if duration_s < bundle.window_s:
        flags.append(SHORT)
    if meter.peak < SILENCE_PEAK:
        flags.append(SILENT)
    return Clip(log_mel, duration_s, tuple(flags))


def as_waveform(
    source: Source | Waveform,
    sr: int,
    *,
    name: str | None = None,
    max_duration_s: float | None = None,
) -> Waveform:
    """A recording as samples at a rate, held in memory; what `extract_features` makes of it is
    the same as of the recording itself.

    Arguments and errors are those of `Classifier.classify`.
    """
    if isinstance(source, Waveform):
        return _resampled(source, sr, name or "recording", max_duration_s)
    return decode(source, sr=sr, max_duration_s=max_duration_s, name=name)


class _Meter:
    """Passes blocks on and keeps their length and peak, which a constant offset does not raise."""

    def __init__(self, blocks: Iterable[Waveform]) -> None:
        self._blocks = blocks
        self.n_samples = 0
        self._low, self._high = np.inf, -np.inf

    @property
    def peak(self) -> float:
        if self.n_samples == 1:
            return abs(self._low)
        return max(0.0, (self._high - self._low) / 2)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        for block in self._blocks:
            samples = block.samples
            if len(samples):
                self.n_samples += len(samples)
                self._low = min(self._low, float(samples.min()))
                self._high = max(self._high, float(samples.max()))
            yield samples


def _resampled(waveform: Waveform, sr: int, name: str, max_duration_s: float | None) -> Waveform:
    if np.asarray(waveform.samples).dtype.kind != "f":
        raise AudioError(
            name, "its samples are whole numbers", "Divide them, so that they lie in -1 to 1."
        )
    low_hz, high_hz = SR_RANGE_HZ
    if not low_hz <= waveform.sr <= high_hz:  # nor is what is no number
        raise AudioError(
            name,
            f"its sample rate is {waveform.sr} Hz; {low_hz} to {high_hz} are read",
            "Give the true one.",
        )
    samples = np.asarray(waveform.samples, np.float32)
    if samples.ndim != 1 or not len(samples):
        raise AudioError(name, "it holds no samples of one channel", "Mix it down to mono.")
    if not np.abs(samples).max() < LOUDEST:  # nor is what is no number
        raise AudioError(
            name, "it holds samples that are no numbers or absurdly large", "Export it again."
        )
    if max_duration_s is not None and waveform.duration > max_duration_s:
        raise AudioTooLongError(
            name,
            f"it lasts {waveform.duration:.0f} s, more than the {max_duration_s:g} s allowed",
            "Send a shorter excerpt.",
        )
    if waveform.sr == sr:
        return waveform
    import soxr

    resampled = soxr.resample(samples, waveform.sr, sr)
    if not len(resampled):
        raise AudioError(name, "it is shorter than one sample", "Record more of it.")
    return Waveform(resampled, sr, waveform.flags)
