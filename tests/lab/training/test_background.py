"""What sounds behind the music: levels, chance, and that voices talk while noise is steady."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from genrescope.errors import GenrescopeError
from genrescope.features.config import STORE_CONFIG, WAVEFORM_CONFIG
from genrescope.lab.training import augment as aug
from genrescope.lab.training.background import Background, background, lay_under

SMALL = replace(STORE_CONFIG, sr=8000, n_fft=512, hop_length=620, n_mels=32)


@pytest.fixture(scope="module")
def small() -> Background:
    return background(SMALL)


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.slow
def test_every_sound_has_a_mean_power_of_one(small: Background) -> None:
    for sound in (small.voices, small.noise):
        assert sound.shape[1] == SMALL.n_bins
        assert torch.allclose(sound.exp().mean((1, 2)), torch.ones(len(sound)), atol=1e-3)


@pytest.mark.slow
def test_voices_pause_and_noise_does_not(small: Background) -> None:
    swing = [sound.exp().mean(1).log().std(1).median() for sound in (small.voices, small.noise)]
    assert swing[0] > 3 * swing[1]


@pytest.mark.slow
def test_the_ratio_of_powers_is_what_was_asked_for(small: Background) -> None:
    music = torch.randn(6, SMALL.n_bins, 39, generator=_rng())
    flat = replace(small, voices=torch.zeros_like(small.voices))
    for snr_db in (0.0, 10.0):
        both = lay_under(music, flat.voices, snr_db=torch.full((6, 1, 1), snr_db), rng=_rng())
        more = both.exp().mean((1, 2)) / music.exp().mean((1, 2))
        assert torch.allclose(more, torch.full((6,), 1 + 10 ** (-snr_db / 10)), rtol=1e-3)


@pytest.mark.slow
def test_a_background_shorter_than_the_excerpt_goes_round(small: Background) -> None:
    length = small.noise.shape[2]
    music = torch.full((2, SMALL.n_bins, 2 * length), -60.0)
    both = lay_under(music, small.noise, snr_db=torch.zeros(2, 1, 1), rng=_rng())
    assert torch.allclose(both[:, :, :length], both[:, :, length:])


@pytest.mark.slow
def test_voices_and_hiss_come_as_often_as_asked(small: Background) -> None:
    x = torch.randn(400, SMALL.n_bins, 39, generator=_rng())
    config = aug.Augment(voices=0.3, hiss=0.2)
    changed = (aug.add_background(x, small, config, rng=_rng()) != x).flatten(1).any(1)
    assert 0.4 < changed.float().mean() < 0.6
    alone = aug.add_background(x, small, replace(config, hiss=0.0), rng=_rng())
    assert 0.2 < (alone != x).flatten(1).any(1).float().mean() < 0.4


def test_without_voices_and_hiss_nothing_is_needed() -> None:
    assert not aug.Augment().needs_background
    assert aug.Augment(voices=0.1).needs_background
    assert aug.Augment(hiss=0.1).needs_background


def test_a_waveform_has_no_spectrum_to_lay_anything_under() -> None:
    with pytest.raises(GenrescopeError, match="waveform"):
        background(WAVEFORM_CONFIG)
