"""From a recording to the features of a clip: decode, resample, front end, and its flags."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrescope.audio.decode import LOUDEST, Source, Stream, decode, stream
from genrescope.audio.meter import Meter
from genrescope.audio.reader import SR_RANGE_HZ
from genrescope.audio.source import ShouldStop
from genrescope.audio.waveform import Waveform
from genrescope.errors import AudioError, AudioTooLongError
from genrescope.features.spectrogram import compute_features
from genrescope.model.bundle import Bundle
from genrescope.model.prediction import SHORT, SILENT


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
    should_stop: ShouldStop | None = None,
) -> Clip:
    """Decode a recording and compute its log-mel; memory is bounded by the latter.

    It needs no net, only the bundle's front end: the net may be loaded meanwhile. Other arguments
    and errors are those of `Classifier.classify`.

    Args:
        should_stop: asked while a file is decoded, see `genrescope.audio.decode.stream`.
    """
    config = bundle.features
    sound: Waveform | Stream
    if isinstance(source, Waveform):
        sound = source
        meter = Meter([_resampled(source, config.sr, name or "recording", max_duration_s)])
    else:
        sound = stream(
            source,
            sr=config.sr,
            max_duration_s=max_duration_s,
            name=name,
            should_stop=should_stop,
        )
        meter = Meter(sound)
    log_mel = compute_features(meter, config)
    flags = list(sound.flags)  # a stream knows all of them only now
    duration_s = meter.n_samples / config.sr
    if duration_s < bundle.window_s:
        flags.append(SHORT)
    if meter.is_silent:
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
            name, "it holds samples that are NaN, infinite or absurdly large", "Export it again."
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
