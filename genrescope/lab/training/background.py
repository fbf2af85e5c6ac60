"""What sounds behind music in real rooms, for augmentation: people who talk, and noise.

Made from nothing by `genrescope.lab.sounds` and taken through the front end, so that a net meets
them on the spectrogram as it will meet them in sound (`genrescope.lab.robustness.degradations`,
which draws voices of its own).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Generator, Tensor

from genrescope.errors import GenrescopeError
from genrescope.features.config import FeatureConfig
from genrescope.features.spectrogram import compute_features
from genrescope.lab import sounds

SEED = 2009
SECONDS = 20
N_VOICES, N_CROWDS, N_NOISES = 24, 48, 32
LARGEST_CROWD = 9
LOG_POWER_PER_DB = math.log(10) / 10


@dataclass(frozen=True, eq=False)
class Background:
    """Sounds to lay under music, as natural logarithms of power with a mean power of 1.

    Attributes:
        voices: one to nine people who talk, float32 (n, n_bins, n_frames).
        noise: steady noise from white to brown, float32 (n, n_bins, n_frames).
    """

    voices: Tensor
    noise: Tensor


@lru_cache(maxsize=2)
def background(config: FeatureConfig) -> Background:
    """The background as a front end shows it; the same each time.

    Raises:
        GenrescopeError: the input is the waveform, which has no spectrum to lay anything under.
    """
    if config.kind == "waveform":
        raise GenrescopeError("recipe: voices and hiss need a spectrogram, not a waveform.")
    rng = np.random.default_rng(SEED)
    n_samples = SECONDS * config.sr
    people = [sounds.speech(n_samples, config.sr, rng=rng) for _ in range(N_VOICES)]
    crowds = []
    for _ in range(N_CROWDS):
        crowd = np.zeros(n_samples)
        for who in rng.integers(N_VOICES, size=rng.integers(1, 1 + LARGEST_CROWD)):
            loudness = 10 ** (rng.uniform(-6, 6) / 20)
            crowd += loudness * np.roll(people[who], rng.integers(n_samples))
        crowds.append(crowd)
    noises = [
        sounds.coloured_noise(n_samples, config.sr, slope=rng.uniform(0, 2), rng=rng)
        for _ in range(N_NOISES)
    ]
    return Background(_log_power(crowds, config), _log_power(noises, config))


def lay_under(power: Tensor, sound: Tensor, *, snr_db: Tensor, rng: Generator) -> Tensor:
    """Music with another sound behind it, each excerpt with a random one from a random place.

    Args:
        power: natural logarithms of power, (batch, n_bins, n_frames).
        sound: ``voices`` or ``noise`` of a `Background`.
        snr_db: power of the music over that of the sound, of whole excerpts, (batch, 1, 1) dB.
        rng: draws the sound and its place.

    Returns:
        As ``power``.
    """
    batch, n_bins, n_frames = power.shape
    which = torch.randint(len(sound), (batch,), generator=rng)
    start = torch.randint(sound.shape[2], (batch, 1), generator=rng)
    at = (start + torch.arange(n_frames)) % sound.shape[2]
    behind = sound[which].gather(2, at[:, None].expand(batch, n_bins, n_frames)).to(power)
    level = torch.logsumexp(power, (1, 2), keepdim=True) - math.log(n_bins * n_frames)
    return torch.logaddexp(power, behind + level - snr_db.to(power) * LOG_POWER_PER_DB)


def _log_power(clips: list[np.ndarray], config: FeatureConfig) -> Tensor:
    x = torch.from_numpy(np.stack([compute_features([clip], config) for clip in clips]))
    x = x * LOG_POWER_PER_DB
    return x - torch.logsumexp(x, (1, 2), keepdim=True) + math.log(x[0].numel())
