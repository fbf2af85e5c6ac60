from __future__ import annotations

import numpy as np
import pytest

from genrescope.lab.inputs import INPUTS, flatten, frame_rate, prepare
from genrescope.signal.feature_config import FeatureConfig
from genrescope.signal.windows import grid, take

CONFIG = FeatureConfig(sr=8_000, n_fft=512, hop_length=256, n_mels=32)
SAMPLES = np.random.default_rng(0).normal(0.2, 0.1, 16_000).astype(np.float32)


@pytest.mark.parametrize(("kind", "n_bins"), [("raw", 1), ("stft", 257), ("mel", 32)])
def test_every_input_is_standardised_frames_of_bins(kind: str, n_bins: int) -> None:
    x = prepare(SAMPLES, CONFIG, kind=kind)
    assert x.shape == (n_bins, len(SAMPLES) if kind == "raw" else CONFIG.frames(len(SAMPLES)))
    assert x.dtype == np.float32
    assert x.mean() == pytest.approx(0.0, abs=1e-4)
    assert x.std() == pytest.approx(1.0, abs=1e-4)
    assert x.shape[1] == pytest.approx(2.0 * frame_rate(CONFIG, kind=kind), abs=1.0)


@pytest.mark.parametrize("kind", INPUTS)
def test_windows_become_rows(kind: str) -> None:
    x = prepare(SAMPLES, CONFIG, kind=kind)
    length = x.shape[1] // 4
    starts = grid(x.shape[1], window_length=length, hop_length=length)
    rows = flatten(take(x, starts, window_length=length))
    assert rows.shape == (len(starts), x.shape[0] * length)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows[1], x[:, starts[1] : starts[1] + length].ravel())


@pytest.mark.parametrize("kind", ["stft", "mel"])
def test_no_samples_are_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="no samples"):
        prepare(np.zeros(0, np.float32), CONFIG, kind=kind)
