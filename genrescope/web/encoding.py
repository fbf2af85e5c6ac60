"""A polished recording in the form that its listener asks for."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrescope.mastering.polish import to_wav

_OPUS_SR = 48_000
_OPUS_BITS = 128_000  # a second, of two channels: nobody tells it from the original
_BLOCK = 48_000

Samples = NDArray[np.float32]


def _flac(samples: Samples, sr: int) -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.clip(samples, -1, 1), sr, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _opus(samples: Samples, sr: int) -> bytes:
    import av
    import soxr

    if sr != _OPUS_SR:
        samples = soxr.resample(samples, sr, _OPUS_SR)
    samples = np.clip(samples, -1, 1)
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        # Half of the encoder's effort: as good to the ear, and sooner there.
        stream: Any = container.add_stream(
            "libopus", rate=_OPUS_SR, layout="stereo", options={"compression_level": "5"}
        )
        stream.bit_rate = _OPUS_BITS
        for start in range(0, len(samples), _BLOCK):
            block = np.ascontiguousarray(samples[start : start + _BLOCK]).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(block, format="flt", layout="stereo")
            frame.sample_rate = _OPUS_SR
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


FORMS: dict[str, tuple[str, Callable[[Samples, int], bytes]]] = {
    "wav": ("audio/wav", to_wav),
    "flac": ("audio/flac", _flac),
    "opus": ("audio/ogg", _opus),
}
"""Name -> media type, and what makes it of float samples (n_samples, 2) at a rate in Hz."""
