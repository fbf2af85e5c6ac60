"""Clips of a folder, decoded in processes of their own: a bad one costs nothing but itself."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from genrescope.audio.decode import stream
from genrescope.audio.isolation import FOLDER_LIMITS, ask, warm_up
from genrescope.audio.meter import Meter
from genrescope.data.track import SILENCE, Track, decoded
from genrescope.errors import AudioError
from genrescope.features.config import FeatureConfig
from genrescope.features.spectrogram import compute_features
from genrescope.sandbox import JobTimeoutError, Sandbox, in_order
from genrescope.sandbox_worker import Handler, Job, Reply

HANDLER = "genrescope.data.isolation:handler"


@dataclass(frozen=True, eq=False)
class DecodedClip:
    """What came of a track.

    Attributes:
        track: with what decoding told of it, where it decodes.
        frames: its features, float16 (n_frames, n_bins), samples scaled to their peak; None where
            none were asked for.
        reason: why it cannot be used; empty where it can.
        stat: size and time of change of its file before it was read, see `file_stat`.
    """

    track: Track
    frames: NDArray[np.float16] | None = None
    reason: str = ""
    stat: list[int] | None = None


def decode_clips(
    tracks: Sequence[Track], config: FeatureConfig | None, *, workers: int
) -> Generator[DecodedClip, None, None]:
    """Decode tracks, in their order, in confined processes. Closed midway, it ends these.

    Args:
        config: of the features; None only decodes, at each recording's own rate.
        workers: recordings at once, int > 0.

    Raises:
        GenrescopeError: no process can be started.
    """
    if not tracks:
        return
    workers = min(workers, len(tracks))
    settings = {"config": None if config is None else config.to_dict()}
    sandbox = Sandbox(HANDLER, settings, processes=workers, memory_bytes=FOLDER_LIMITS.memory_bytes)
    try:
        sandbox.start()
        clips = in_order(lambda track: _decoded(sandbox, track, config), tracks, workers)
        with closing(clips):
            for _, clip in clips:
                yield clip
    finally:
        sandbox.close()


def file_stat(track: Track) -> list[int] | None:
    """Size and time of change of the audio, by which a changed file is known; None if gone."""
    try:
        stat = track.path.stat() if track.path is not None else None
    except OSError:
        return None
    return [stat.st_size, stat.st_mtime_ns] if stat else None


def _decoded(sandbox: Sandbox, track: Track, config: FeatureConfig | None) -> DecodedClip:
    if track.path is None:
        return DecodedClip(track, reason="no file")
    stat = file_stat(track)  # before it is read: a file changed since is then known as changed
    options = {"max_duration_s": FOLDER_LIMITS.audio_s}
    deadline = time.monotonic() + FOLDER_LIMITS.seconds
    try:
        reply = ask(sandbox, track.path, options, deadline=deadline)
        if not _is_sound(reply, config):
            return DecodedClip(track, reason="it made the decoder answer nonsense")
        if reply.facts["silent"]:
            return DecodedClip(track, reason=SILENCE)
        duration, flags = reply.facts["duration_s"], reply.facts["flags"]
        found = decoded(track, track.path, duration=duration, flags=flags)
    except (AudioError, JobTimeoutError) as error:
        return DecodedClip(track, reason=error.reason)
    except OSError as error:
        return DecodedClip(track, reason=error.strerror or str(error))
    except RuntimeError as error:  # what a decoder raised that no decoder should
        return DecodedClip(track, reason=f"it could not be decoded ({error})")
    return DecodedClip(found, reply.arrays[0] if reply.arrays else None, stat=stat)


def _is_sound(reply: Reply, config: FeatureConfig | None) -> bool:
    """Whether a process that a recording may have taken over says what a decoder would say."""
    duration, flags = reply.facts.get("duration_s"), reply.facts.get("flags")
    silent = reply.facts.get("silent")
    return (
        isinstance(duration, float)
        and 0 < duration < math.inf
        and isinstance(flags, list)
        and all(flag == "truncated" for flag in flags)
        and isinstance(silent, bool)
        and len(reply.arrays) == (config is not None and not silent)
        and all(_are_frames(array, config) for array in reply.arrays)
    )


def _are_frames(array: NDArray[Any], config: FeatureConfig | None) -> bool:
    return (
        config is not None
        and array.dtype == np.float16
        and array.ndim == 2
        and array.shape[0] > 0
        and array.shape[1] == config.n_bins
        and bool(np.isfinite(array).all())
    )


def handler(config: dict[str, Any] | None) -> Handler:
    """What a process of the sandbox does: a job's file to the features of a clip."""
    wanted = None if config is None else FeatureConfig.from_dict(config)

    def features(job: Job) -> Reply:
        return _features(job.file, wanted, **job.options)

    warm_up(lambda file: _features(file, wanted))
    return features


def _features(
    file: BinaryIO,
    config: FeatureConfig | None,
    *,
    name: str | None = None,
    max_duration_s: float | None = None,
) -> Reply:
    sr = None if config is None else config.sr
    sound = stream(file, sr=sr, name=name, max_duration_s=max_duration_s)
    meter = Meter(sound)
    arrays: tuple[NDArray[np.float16], ...] = ()
    if config is None:
        for _ in meter:
            pass
    else:
        frames = compute_features(meter, config).T
        if config.kind == "waveform" and not meter.is_silent:
            # In float16 a full-scale waveform keeps 11 bits; a quiet one would keep fewer.
            frames = frames / np.abs(frames).max()
        arrays = (np.ascontiguousarray(frames, dtype=np.float16),)
    facts = {
        "duration_s": float(meter.duration_s if sr is None else meter.n_samples / sr),
        "flags": list(sound.flags),
        "silent": meter.is_silent,
    }
    return Reply(facts, () if meter.is_silent else arrays)
