"""The filterbank is librosa's, and safe from its callers."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from feature_makers import configs
from hypothesis import given, settings

from genrescope.features.config import STORE_CONFIG, FeatureConfig
from genrescope.features.spectrogram import mel_filterbank


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Empty filters:UserWarning")
@settings(max_examples=40, deadline=None)
@given(configs())
def test_filterbank_is_librosas(config: FeatureConfig) -> None:
    theirs = librosa.filters.mel(
        sr=config.sr, n_fft=config.n_fft, n_mels=config.n_mels, fmin=config.fmin, fmax=config.fmax
    )
    np.testing.assert_allclose(mel_filterbank(config), theirs, rtol=1e-4, atol=1e-9)


def test_filterbank_cannot_be_changed_by_a_caller() -> None:
    with pytest.raises(ValueError, match="read-only"):
        mel_filterbank(STORE_CONFIG)[0, 0] = 1.0
