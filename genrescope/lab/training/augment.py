"""Augmentation of standardised log-mel excerpts, a batch at a time.

Everything happens on the spectrogram, since a feature store keeps no waveform. ``x`` is
float32 (batch, n_mels, n_frames), each clip standardised, so that one unit is one
standard deviation of its dB values: about 13 dB on GTZAN. Each function draws from the
generator it is given and returns a new tensor.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import interpolate

from genrescope.errors import GenrescopeError
from genrescope.lab.training.background import Background, lay_under

UNIT_DB = 13.0
"""One standard deviation of a clip."""

LOG_POWER = 3.0
"""The same as a natural logarithm of power."""

SNR_SPAN_DB = 20.0
"""From the strongest background to the faintest, dB."""

FADE_DB, FADE_FRAME_RATE = 4.65, 22_050 / 1708
"""What a tail that fades by 60 dB in a second loses in a frame, dB, and how many frames of that
length are in a second; with other frames it loses in proportion."""


_SHARES = (
    ("band_limit",), ("reverb",), ("noise",), ("style",), ("voices", "hiss"), ("mixup", "cutmix"),
)  # fmt: skip
"""Probabilities; those side by side exclude each other."""
_LEVELS = ("loudest_noise", "snr_db", "mixup_alpha")
"""What says how a disturbance is, not how much of it there is."""


@dataclass(frozen=True)
class Augment:
    """How strongly to disturb; every zero turns its disturbance off.

    Attributes:
        shift_bands: largest shift along the mel axis (pitch), in bands.
        stretch: largest time stretch, as a natural logarithm of the rate.
        equaliser: standard deviation of a random smooth curve over the bands.
        contrast: largest relative change of the dynamic range.
        band_limit: probability of losing the lowest and highest bands.
        reverb: probability of a reverberation tail.
        noise: probability of a noise floor.
        loudest_noise: its highest level, in standard deviations over the clip's mean.
        voices: probability of people who talk behind the music.
        hiss: probability of steady coloured noise behind it.
        snr_db: lowest level of the music over the two, dB; the highest is `SNR_SPAN_DB` more.
        style: probability of taking on each band's mean and deviation of another excerpt, in part
            (Freq-MixStyle: Schmid et al. 2022; Zhou et al. 2021).
        masks: frequency and time masks each (SpecAugment, Park et al. 2019).
        mixup: probability of mixing a batch with itself (Zhang et al. 2018).
        mixup_alpha: of its beta distribution.
        cutmix: probability of splicing a batch with itself along time (Yun et al. 2019).

    Raises:
        GenrescopeError: a negative strength, a probability above 1, or no number.
    """

    shift_bands: float = 4.0
    stretch: float = 0.15
    equaliser: float = 0.6
    contrast: float = 0.15
    band_limit: float = 0.15
    reverb: float = 0.2
    noise: float = 0.4
    loudest_noise: float = 0.8
    voices: float = 0.0
    hiss: float = 0.0
    snr_db: float = 0.0
    style: float = 0.5
    masks: int = 2
    mixup: float = 0.3
    mixup_alpha: float = 0.3
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not math.isfinite(value):
                raise GenrescopeError(f"recipe: augment.{name} must be a number, not {value}.")
            if value < 0 and name not in _LEVELS:
                raise GenrescopeError(f"recipe: augment.{name} must not be negative.")
        if self.mixup_alpha <= 0:
            raise GenrescopeError("recipe: augment.mixup_alpha must be above 0.")
        for names in _SHARES:
            if sum(getattr(self, name) for name in names) > 1:
                raise GenrescopeError(
                    f"recipe: augment.{' and '.join(names)}: a probability is at most 1."
                )

    @property
    def disturbs(self) -> bool:
        """Whether anything is done at all."""
        return any(value for name, value in vars(self).items() if name not in _LEVELS)

    @property
    def needs_background(self) -> bool:
        """Whether anything sounds behind the music."""
        return self.voices > 0 or self.hiss > 0

    def source_frames(self, n_frames: int) -> int:
        """Frames to cut from a clip so that any stretch still fills ``n_frames``."""
        return math.ceil(n_frames * math.exp(self.stretch)) + (2 if self.stretch else 0)


NO_AUGMENT = Augment(
    shift_bands=0.0, stretch=0.0, equaliser=0.0, contrast=0.0, band_limit=0.0, reverb=0.0,
    noise=0.0, style=0.0, masks=0, mixup=0.0,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Moves:
    """How far excerpts were moved, and what is known of their tempo and pitch with them.

    Attributes:
        rate: how much faster each is played, (batch,).
        shift: how many bands lower each lies, before whole ones are taken, (batch,).
    """

    rate: Tensor
    shift: Tensor


def _uniform(*shape: int, rng: Generator, like: Tensor) -> Tensor:
    return torch.rand(*shape, generator=rng, device=like.device)


def _curve(n_points: int, x: Tensor, rng: Generator) -> Tensor:
    """A smooth random curve over the bands, (batch, n_mels, 1), standard deviation near 1."""
    points = torch.randn(len(x), 1, n_points, generator=rng, device=x.device)
    return interpolate(points, x.shape[1], mode="linear", align_corners=True).transpose(1, 2)


def warp(
    x: Tensor, *, n_frames: int, shift_bands: float, stretch: float, rng: Generator
) -> tuple[Tensor, Moves]:
    """Cut ``n_frames`` at a random place, stretched in time and shifted in pitch.

    Whole frames and bands are taken, none interpolated: that would blur every excerpt as no
    recording is, and a net that learned from blurred ones does worse on sharp ones.
    """
    batch, n_mels, length = x.shape
    rate = torch.exp((2 * _uniform(batch, rng=rng, like=x) - 1) * stretch)
    room = (length - 1 - (n_frames - 1) * rate).clamp(min=0)
    start = _uniform(batch, rng=rng, like=x) * room
    time = start[:, None] + rate[:, None] * torch.arange(n_frames, device=x.device)
    frame = time.round().long().clamp(0, length - 1)
    shift = (2 * _uniform(batch, 1, rng=rng, like=x) - 1) * shift_bands
    band = (torch.arange(n_mels, device=x.device) + shift).clamp(0, n_mels - 1).round().long()
    x = x.gather(2, frame[:, None, :].expand(batch, n_mels, n_frames))
    x = x.gather(1, band[:, :, None].expand(batch, n_mels, n_frames))
    return x, Moves(rate, shift[:, 0])


def equalise(x: Tensor, strength: float, *, rng: Generator) -> Tensor:
    """Add a random smooth curve over the bands, as another microphone or mix would."""
    scale = strength * _uniform(len(x), 1, 1, rng=rng, like=x)
    return x + scale * _curve(6, x, rng)


def stretch_contrast(x: Tensor, strength: float, *, rng: Generator) -> Tensor:
    """Widen or narrow the dynamic range a little."""
    return x * (1 + strength * (2 * _uniform(len(x), 1, 1, rng=rng, like=x) - 1))


def limit_bands(x: Tensor, probability: float, *, rng: Generator) -> Tensor:
    """Let the bands below and above a random range sink into a floor, as a telephone does."""

    def limited(x: Tensor) -> Tensor:
        n_bands = x.shape[1]
        draw = _uniform(4, len(x), 1, 1, rng=rng, like=x)
        low, high = n_bands * (0.19 * draw[0] - 0.03), n_bands * (1.06 - 0.47 * draw[1])
        band = torch.arange(n_bands, device=x.device)[None, :, None]
        outside = (low - band).clamp(min=0) + (band - high).clamp(min=0)
        sunk = x - (0.15 + 0.6 * draw[2]) * outside * 128 / n_bands
        return torch.maximum(sunk, torch.minimum(-2.0 - 1.5 * draw[3], x))

    return _by_chance(x, probability, limited, rng)


def reverberate(x: Tensor, probability: float, *, frame_rate: float, rng: Generator) -> Tensor:
    """Add the power of an exponential tail, from -6 to 6 dB beside the sound itself.

    Args:
        x: float32 (batch, n_mels, n_frames).
        probability: of a tail; it fades by 60 dB in 0.25 to 2.5 s.
        frame_rate: frames in a second.
    """

    def wet(x: Tensor) -> Tensor:
        draw = _uniform(2, len(x), 1, 1, rng=rng, like=x)
        seconds = 0.25 + 2.25 * draw[0] ** 1.5
        fade_db = FADE_DB * (FADE_FRAME_RATE / frame_rate)
        decay = fade_db / seconds / UNIT_DB * LOG_POWER  # a frame
        ramp = decay * torch.arange(x.shape[2], device=x.device)
        power = x * LOG_POWER
        tail = torch.logcumsumexp(power + ramp, dim=2) - ramp
        beside = (12 * draw[1] - 6) / UNIT_DB * LOG_POWER
        level = beside + torch.log(-torch.expm1(-decay)) + LOG_POWER * _flicker(x, rng)
        return torch.logaddexp(power, tail + level) / LOG_POWER

    return _by_chance(x, probability, wet, rng)


def add_noise(x: Tensor, probability: float, loudest: float, *, rng: Generator) -> Tensor:
    """Add the power of a coloured noise floor, steady as of a fan up to restless as of voices."""

    def noisy(x: Tensor) -> Tensor:
        draw = _uniform(4, len(x), 1, 1, rng=rng, like=x)
        level = -2.6 + (2.6 + loudest) * draw[0] + 0.5 * draw[1] * _curve(5, x, rng)
        slope = torch.linspace(0.5, -0.5, x.shape[1], device=x.device)[:, None]
        swell = _curve(12, x.transpose(1, 2), rng).transpose(1, 2)
        restless = draw[3] ** 2 * (0.4 * swell + _flicker(x, rng))
        floor = level + draw[2] * slope + restless + _flicker(x, rng)
        return torch.logaddexp(x * LOG_POWER, floor * LOG_POWER) / LOG_POWER

    return _by_chance(x, probability, noisy, rng)


def add_background(x: Tensor, background: Background, config: Augment, *, rng: Generator) -> Tensor:
    """Lay voices under some excerpts and noise under others, never both under one."""

    def behind(sound: Tensor) -> Callable[[Tensor], Tensor]:
        def changed(x: Tensor) -> Tensor:
            snr_db = config.snr_db + SNR_SPAN_DB * _uniform(len(x), 1, 1, rng=rng, like=x)
            power = lay_under(x * LOG_POWER, sound, snr_db=snr_db, rng=rng)
            return power / LOG_POWER

        return changed

    draw = _uniform(len(x), rng=rng, like=x)
    x = _where(draw < config.voices, x, behind(background.voices))
    between = (draw >= config.voices) & (draw < config.voices + config.hiss)
    return _where(between, x, behind(background.noise))


def _flicker(x: Tensor, rng: Generator) -> Tensor:
    """How the cells of noise differ: by more where a band is narrow."""
    deviation = torch.linspace(0.4, 0.12, x.shape[1], device=x.device)[:, None]
    return deviation * torch.randn(x.shape, generator=rng, device=x.device)


def mix_styles(x: Tensor, probability: float, *, rng: Generator) -> Tensor:
    """Move each band's mean and deviation a random way towards those of another excerpt."""
    mean, deviation = x.mean(2, keepdim=True), x.std(2, keepdim=True) + 0.1
    other = torch.randperm(len(x), generator=rng)
    gammas = torch._standard_gamma(torch.full((2, len(x), 1, 1), 0.3), generator=rng)
    own = (gammas[0] / gammas.sum(0).clamp(min=1e-9)).to(x.device)
    styled = (x - mean) / deviation * (own * deviation + (1 - own) * deviation[other])
    styled = styled + own * mean + (1 - own) * mean[other]
    return torch.where(_uniform(len(x), 1, 1, rng=rng, like=x) < probability, styled, x)


def _by_chance(
    x: Tensor, probability: float, change: Callable[[Tensor], Tensor], rng: Generator
) -> Tensor:
    """Change a random part of a batch."""
    return _where(_uniform(len(x), rng=rng, like=x) < probability, x, change)


def _where(chosen: Tensor, x: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Change the excerpts that are chosen, bool (batch,)."""
    at = torch.nonzero(chosen).flatten()
    return x.index_copy(0, at, change(x[at])) if len(at) else x


def _levelled(x: Tensor, like: Tensor) -> Tensor:
    """Mean and deviation as they were: what is degraded before it is standardised comes out so."""
    scale = like.std((1, 2), keepdim=True) / x.std((1, 2), keepdim=True).clamp(min=1e-3)
    return (x - x.mean((1, 2), keepdim=True)) * scale + like.mean((1, 2), keepdim=True)


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


def augment(
    x: Tensor,
    config: Augment,
    *,
    n_frames: int,
    frame_rate: float,
    rng: Generator,
    background: Background | None = None,
) -> tuple[Tensor, Moves]:
    """Disturb a batch of excerpts and cut it to ``n_frames``.

    Args:
        x: float32 (batch, n_mels, at least ``config.source_frames(n_frames)``).
        config: strengths.
        n_frames: length of what is returned.
        frame_rate: frames in a second.
        rng: where every random number comes from.
        background: what `voices` and `hiss` draw from; without it there are none.

    Returns:
        float32 (batch, n_mels, n_frames), and how far each excerpt was moved.
    """
    x, moves = warp(
        x, n_frames=n_frames, shift_bands=config.shift_bands, stretch=config.stretch, rng=rng
    )
    before = x
    if config.equaliser:
        x = equalise(x, config.equaliser, rng=rng)
    if config.contrast:
        x = stretch_contrast(x, config.contrast, rng=rng)
    # In the order of the world: a room, what else sounds in it, and the microphone.
    if config.reverb:
        x = reverberate(x, config.reverb, frame_rate=frame_rate, rng=rng)
    if background is not None:
        x = add_background(x, background, config, rng=rng)
    if config.noise:
        x = add_noise(x, config.noise, config.loudest_noise, rng=rng)
    if config.band_limit:
        x = limit_bands(x, config.band_limit, rng=rng)
    if x is not before:
        x = _levelled(x, before)
        x = x + 0.1 * torch.randn(len(x), 1, 1, generator=rng, device=x.device)
    if config.style:
        x = mix_styles(x, config.style, rng=rng)
    return mask(x, config.masks, rng=rng), moves


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
