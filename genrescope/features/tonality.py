"""The key of a recording by the profile of its pitch classes, where no net tells it.

Krumhansl and Kessler 1982. Right in about four of ten popular songs; mostly a fifth off, or the
relative key, where not, which is why it is enough to say which songs go together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genrescope.features.config import FeatureConfig
from genrescope.features.stft import as_mono, squared_spectra

Float64 = NDArray[np.float64]

_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
_LOWEST_HZ, _HIGHEST_HZ = 65.0, 2_100.0


def pitch_classes(samples: NDArray[np.float32], sr: int) -> Float64:
    """How strong each pitch class is, float64 (12,) from A upwards, summing to 1; 0 of silence."""
    n_fft = 2 ** round(np.log2(0.37 * sr))
    config = FeatureConfig(sr=sr, n_fft=n_fft, hop_length=n_fft // 2)
    hz = np.arange(n_fft // 2 + 1) * sr / n_fft
    inside = (hz > _LOWEST_HZ) & (hz < _HIGHEST_HZ)
    places = np.rint(12 * np.log2(hz[inside] / 440.0)).astype(np.int64) % 12
    strength = np.zeros(12)
    for squares in squared_spectra([as_mono(samples)], config):
        amplitude = np.sqrt(squares[:, ::2] + squares[:, 1::2])[:, inside]
        # Each moment counts alike, however loud it is.
        amplitude /= np.maximum(amplitude.max(axis=1, keepdims=True), 1e-6)
        strength += np.bincount(places, amplitude.sum(axis=0), minlength=12)
    return strength / max(1e-12, float(strength.sum()))


def key_of(classes: Float64) -> int:
    """The key that a profile of pitch classes is most like: 0 to 11 majors from A, then minors."""
    fits = [
        np.corrcoef(np.roll(profile, tonic), classes)[0, 1] if classes.std() > 0 else 0.0
        for profile in (_MAJOR, _MINOR)
        for tonic in range(12)
    ]
    return int(np.argmax(fits))
