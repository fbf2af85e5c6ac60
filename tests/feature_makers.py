"""Front ends of any kind, and sound with loud and quiet parts to put through them."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from genrescope.features.config import FeatureConfig

Float32 = NDArray[np.float32]


def noisy_tones(n_samples: int, *, seed: int, gain: float = 0.3) -> Float32:
    """Tones with an envelope over a floor of noise: loud and quiet cells in one spectrogram."""
    rng = np.random.default_rng(seed)
    t = np.arange(n_samples)
    tones = sum(np.sin(t * w + p) for w, p in rng.uniform(0.01, 1.5, (4, 2)))
    envelope = 0.5 + 0.5 * np.cos(t * rng.uniform(1e-4, 1e-2))
    return (gain * (tones * envelope + 0.01 * rng.standard_normal(n_samples))).astype(np.float32)


@st.composite
def configs(draw: st.DrawFn) -> FeatureConfig:
    sr = draw(st.sampled_from([8_000, 16_000, 22_050, 44_100]))
    fmin = draw(st.sampled_from([0.0, 27.5, 300.0]))
    return FeatureConfig(
        sr=sr,
        n_fft=draw(st.sampled_from([2048, 1024, 512, 400, 257, 4096])),
        hop_length=draw(st.integers(100, 5000)),
        n_mels=draw(st.sampled_from([128, 64, 13, 1])),
        fmin=fmin,
        fmax=draw(st.sampled_from([None, sr / 2, 3_000.0])),
        top_db=draw(st.sampled_from([80.0, 60.0, 23.5])),
    )
