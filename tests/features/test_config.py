"""The front end's configuration: its kinds, its bounds, and what earlier versions wrote."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from feature_makers import configs, noisy_tones
from hypothesis import given, settings

from genrescope.features.config import (
    CONFIGS,
    KINDS,
    STFT_CONFIG,
    STORE_CONFIG,
    WAVEFORM_CONFIG,
    FeatureConfig,
)
from genrescope.features.spectrogram import compute_features, log_mel, stft_db


def test_each_kind_has_a_usual_front_end() -> None:
    assert {kind: config.kind for kind, config in CONFIGS.items()} == {k: k for k in KINDS}
    assert [CONFIGS[kind].n_bins for kind in ("mel", "stft", "waveform")] == [128, 1025, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_features_have_the_shape_that_their_configuration_says(kind: str) -> None:
    config = CONFIGS[kind]
    samples = np.random.default_rng(0).normal(0, 0.1, 9_000).astype(np.float32)
    features = compute_features([samples[:2_000], samples[2_000:]], config)
    assert features.dtype == np.float32
    assert features.shape == (config.n_bins, config.frames(len(samples)))
    expected = {"mel": log_mel, "stft": stft_db, "waveform": lambda x, _: x[np.newaxis]}
    np.testing.assert_array_equal(features, expected[kind](samples, config))
    with pytest.raises(ValueError, match="no samples"):
        compute_features([], config)


@pytest.mark.parametrize(
    ("older", "config"),
    [
        ({"hop_length": 1708}, STORE_CONFIG),
        ({"hop_length": 1708, "n_mels": None}, STFT_CONFIG),
        ({"hop_length": 1, "n_mels": 1}, WAVEFORM_CONFIG),
        ({"sr": 8000, "n_fft": 256, "hop_length": 1, "n_mels": 2}, None),
    ],
)
def test_what_was_written_before_kinds_means_the_same(
    older: dict[str, object], config: FeatureConfig | None
) -> None:
    usual = {"sr": 22_050, "n_fft": 2048, "fmin": 0.0, "fmax": None, "top_db": 80.0}
    read = FeatureConfig.from_dict(usual | older)
    assert read == (config or FeatureConfig(**older))
    assert FeatureConfig.from_dict(read.to_dict()) == read


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "cqt"}, "kind must be one of mel, stft, waveform, not 'cqt'"),
        ({"kind": ["mel"]}, "kind must be one of"),
        ({"n_mels": None}, "n_mels must be a whole number"),
        ({"kind": "stft"}, "n_mels must be None where kind is stft, not 128"),
        ({"kind": "waveform", "n_mels": None}, "must be 1 where kind is waveform"),
        ({"n_fft": 1}, "n_fft must be a whole number from 2"),
    ],
)
def test_fields_that_do_not_suit_the_kind_are_refused(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        replace(STORE_CONFIG, **changes)


def test_linear_configuration() -> None:
    config = FeatureConfig(n_mels=None, kind="stft")
    assert config.n_bins == 1025
    assert stft_db(noisy_tones(5_000, seed=0), config).shape == (1025, 10)
    with pytest.raises(ValueError, match="n_mels"):
        log_mel(noisy_tones(5_000, seed=0), config)


@settings(deadline=None)
@given(configs())
def test_config_survives_the_trip_through_a_dictionary(config: FeatureConfig) -> None:
    assert FeatureConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hop": 512}, "unknown feature parameters: hop"),
        ({"n_fft": 2048.5}, "n_fft must be a whole number"),
        ({"n_fft": 2**30}, "n_fft must be a whole number"),
        ({"hop_length": 0}, "hop_length"),
        ({"sr": "22050"}, "sr must be a whole number"),
        ({"n_mels": True}, "n_mels"),
        ({"n_mels": 1026}, "n_mels must be at most the 1025 bins of n_fft=2048"),
        ({"top_db": float("nan")}, "top_db must be a number"),
        ({"top_db": 10**400}, "top_db must be a number"),
        ({"top_db": -1.0}, "top_db must be above 0"),
        ({"fmin": 9_000.0, "fmax": 8_000.0}, "0 <= fmin < fmax"),
        ({"fmax": 20_000.0}, "sr / 2"),
    ],
)
def test_a_wrong_config_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FeatureConfig.from_dict(values)
