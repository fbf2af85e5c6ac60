"""Augmentation of standardised log-mel excerpts, a batch at a time.

Everything happens on the spectrogram, since a feature store keeps no waveform. ``x`` is
float32 (batch, n_mels, n_frames), each clip standardised, so that one unit is one
standard deviation of its dB values: about 13 dB on GTZAN. Each function draws from the
generator it is given and returns a new tensor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import grid_sample, interpolate

LOG_POWER = 4.0
"""Units of log-sum-exp per standard deviation: 13 dB is a power ratio of e^3 to e^4."""


@dataclass(frozen=True)
class Augment:
    """How strongly to disturb; every zero turns its disturbance off.

    Attributes:
        shift_bands: largest shift along the mel axis (pitch), in bands.
        stretch: largest time stretch, as a natural logarithm of the rate.
        equaliser: standard deviation of a random smooth curve over the bands.
        contrast: largest relative change of the dynamic range.
        noise: probability of a random noise floor.
        smear: probability of a reverberation tail.
        masks: frequency and time masks each (SpecAugment, Park et al. 2019).
        mixup: probability of mixing a batch with itself (Zhang et al. 2018).
        mixup_alpha: of its beta distribution.
        cutmix: probability of splicing a batch with itself along time (Yun et al. 2019).
    """

    shift_bands: float = 4.0
    stretch: float = 0.15
    equaliser: float = 0.6
    contrast: float = 0.15
    noise: float = 0.3
    smear: float = 0.2
    masks: int = 2
    mixup: float = 0.3
    mixup_alpha: float = 0.3
    cutmix: float = 0.0

    def source_frames(self, n_frames: int) -> int:
        """Frames to cut from a clip so that any stretch still fills ``n_frames``."""
        return math.ceil(n_frames * math.exp(self.stretch)) + (2 if self.stretch else 0)


def _uniform(*shape: int, rng: Generator, like: Tensor) -> Tensor:
    return torch.rand(*shape, generator=rng, device=like.device)


def _curve(n_points: int, x: Tensor, rng: Generator) -> Tensor:
    """A smooth random curve over the bands, (batch, n_mels, 1), standard deviation near 1."""
    points = torch.randn(len(x), 1, n_points, generator=rng, device=x.device)
    return interpolate(points, x.shape[1], mode="linear", align_corners=True).transpose(1, 2)


def warp(x: Tensor, *, n_frames: int, shift_bands: float, stretch: float, rng: Generator) -> Tensor:
    """Cut ``n_frames`` at a random place, stretched in time and shifted in pitch."""
    batch, n_mels, length = x.shape
    rate = torch.exp((2 * _uniform(batch, rng=rng, like=x) - 1) * stretch)
    room = (length - 1 - (n_frames - 1) * rate).clamp(min=0)
    start = _uniform(batch, rng=rng, like=x) * room
    time = start[:, None] + rate[:, None] * torch.arange(n_frames, device=x.device)
    shift = (2 * _uniform(batch, 1, rng=rng, like=x) - 1) * shift_bands
    band = (torch.arange(n_mels, device=x.device) + shift).clamp(0, n_mels - 1)
    grid = torch.stack(
        [
            (2 * time / (length - 1) - 1)[:, None, :].expand(batch, n_mels, n_frames),
            (2 * band / max(n_mels - 1, 1) - 1)[:, :, None].expand(batch, n_mels, n_frames),
        ],
        dim=-1,
    )
    warped = grid_sample(x[:, None], grid, align_corners=True, padding_mode="border")
    return warped[:, 0]


def equalise(x: Tensor, strength: float, *, rng: Generator) -> Tensor:
    """Add a random smooth curve over the bands, as another microphone or mix would."""
    scale = strength * _uniform(len(x), 1, 1, rng=rng, like=x)
    return x + scale * _curve(6, x, rng)


def stretch_contrast(x: Tensor, strength: float, *, rng: Generator) -> Tensor:
    """Widen or narrow the dynamic range a little, and move the level."""
    factor = 1 + strength * (2 * _uniform(len(x), 1, 1, rng=rng, like=x) - 1)
    return x * factor + 0.1 * torch.randn(len(x), 1, 1, generator=rng, device=x.device)


def smear(x: Tensor, probability: float, *, rng: Generator) -> Tensor:
    """Let loud cells decay into the next frame no faster than a random reverberation."""
    drop = 4 * (1 - 0.6 * _uniform(len(x), 1, 1, rng=rng, like=x))
    before = torch.cat([x[:, :, :1], x[:, :, :-1]], dim=2)
    chosen = _uniform(len(x), 1, 1, rng=rng, like=x) < probability
    return torch.where(chosen, torch.maximum(x, before - drop), x)


def add_noise(x: Tensor, probability: float, *, rng: Generator) -> Tensor:
    """Add the power of a coloured, flickering noise floor of random level."""
    level = -2.6 + 2.2 * _uniform(len(x), 1, 1, rng=rng, like=x) + 0.4 * _curve(4, x, rng)
    floor = level + 0.25 * torch.randn(x.shape, generator=rng, device=x.device)
    noisy = torch.logaddexp(x * LOG_POWER, floor * LOG_POWER) / LOG_POWER
    chosen = _uniform(len(x), 1, 1, rng=rng, like=x) < probability
    return torch.where(chosen, noisy, x)


def mask(x: Tensor, n_masks: int, *, rng: Generator) -> Tensor:
    """Set up to ``n_masks`` bands and spans of time to the mean, 0 (SpecAugment)."""
    for _ in range(n_masks):
        for axis, widest in ((1, x.shape[1] / 8), (2, x.shape[2] * 0.15)):
            size = x.shape[axis]
            width = widest * _uniform(len(x), 1, rng=rng, like=x)
            start = (size - width) * _uniform(len(x), 1, rng=rng, like=x)
            at = torch.arange(size, device=x.device)
            hidden = (at >= start) & (at < start + width)
            x = x.masked_fill(hidden[:, :, None] if axis == 1 else hidden[:, None, :], 0.0)
    return x


def augment(x: Tensor, config: Augment, *, n_frames: int, rng: Generator) -> Tensor:
    """Disturb a batch of excerpts and cut it to ``n_frames``.

    Args:
        x: float32 (batch, n_mels, at least ``config.source_frames(n_frames)``).
        config: strengths.
        n_frames: length of what is returned.
        rng: where every random number comes from.

    Returns:
        float32 (batch, n_mels, n_frames).
    """
    x = warp(x, n_frames=n_frames, shift_bands=config.shift_bands, stretch=config.stretch, rng=rng)
    if config.equaliser:
        x = equalise(x, config.equaliser, rng=rng)
    if config.contrast:
        x = stretch_contrast(x, config.contrast, rng=rng)
    if config.smear:
        x = smear(x, config.smear, rng=rng)
    if config.noise:
        x = add_noise(x, config.noise, rng=rng)
    return mask(x, config.masks, rng=rng)


def mix(x: Tensor, targets: Tensor, config: Augment, *, rng: Generator) -> tuple[Tensor, Tensor]:
    """Mixup, or CutMix along time, or neither, by their probabilities.

    Args:
        x: float32 (batch, n_mels, n_frames).
        targets: float32 (batch, n_classes), rows summing to 1.

    Returns:
        Both, mixed alike.
    """
    draw = float(torch.rand((), generator=rng))
    if draw >= config.mixup + config.cutmix:
        return x, targets
    other = torch.randperm(len(x), generator=rng)
    if draw < config.mixup:
        a, b = torch._standard_gamma(torch.full((2,), config.mixup_alpha), generator=rng).tolist()
        share = max(a, b) / max(a + b, 1e-12)
        mixed = share * x + (1 - share) * x[other]
    else:
        cut = 0.2 + 0.6 * float(torch.rand((), generator=rng))
        at = round(cut * x.shape[2])
        share = at / x.shape[2]
        mixed = torch.cat([x[:, :, :at], x[other][:, :, at:]], dim=2)
    return mixed, share * targets + (1 - share) * targets[other]
