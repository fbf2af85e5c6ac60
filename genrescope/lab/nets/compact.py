"""A small CNN for small data: pitch is pooled early, frames late."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genrescope.lab.nets.base import Net

# The first convolution takes every fourth band: at full height most of a net's time goes into
# maps of few channels. Frames are scarce at 13 a second and are kept.
FIRST_KERNEL, FIRST_STRIDE = (9, 3), (4, 1)
# Of the blocks after it: channels in units of the width, and (bands, frames) to pool by.
BLOCKS = ((2, (2, 2)), (4, (2, 1)), (4, (2, 2)), (6, None), (6, None))


class Compact(Net):
    """Six convolutions; mean and maximum over what is left.

    Maxima are taken before batch normalisation, which costs less than the other order and learns
    better (docs/log.md, 2026-11-24).

    Args:
        n_classes: number of logits.
        n_bins: any; the net is convolutional.
        width: channels of the first block; the last has six times as many.
        dropout: probability at the embedding, in training.
        band_share: share of each band's mean over the excerpt that is taken away first, 0 to 1:
            what a microphone or a mix colours, the net need not see.

    The embedding has 12 x width numbers.
    """

    def __init__(
        self,
        n_classes: int,
        n_bins: int = 128,
        *,
        width: int = 32,
        dropout: float = 0.3,
        band_share: float = 0.5,
    ) -> None:
        super().__init__()
        self.band_share = band_share
        padding = (FIRST_KERNEL[0] // 2, FIRST_KERNEL[1] // 2)
        first = nn.Conv2d(1, width, FIRST_KERNEL, FIRST_STRIDE, padding, bias=False)
        layers: list[nn.Module] = [first, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        n_in = width
        for factor, pool in BLOCKS:
            n_out = factor * width
            layers.append(nn.Conv2d(n_in, n_out, 3, padding=1, bias=False))
            if pool is not None:
                layers.append(nn.MaxPool2d(pool))
            layers += [nn.BatchNorm2d(n_out), nn.ReLU(inplace=True)]
            n_in = n_out
        self.blocks = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * n_in, n_classes)

    def embed(self, x: Tensor) -> Tensor:
        return self._pooled(self._maps(x))

    def embed_by_band(self, x: Tensor) -> tuple[Tensor, Tensor]:
        maps = self._maps(x)
        return self._pooled(maps), torch.cat([maps.mean(3), maps.amax(3)], dim=1).flatten(1)

    def embed_steps(self, x: Tensor, n_steps: int) -> tuple[Tensor, Tensor]:
        maps = self._maps(x)
        return self._pooled(maps), _pooled_steps(maps, n_steps)

    def _maps(self, x: Tensor) -> Tensor:
        x = x - self.band_share * x.mean(2, keepdim=True)
        maps: Tensor = self.blocks(x.unsqueeze(1).contiguous(memory_format=torch.channels_last))
        return maps

    def _pooled(self, maps: Tensor) -> Tensor:
        pooled: Tensor = self.dropout(torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], dim=1))
        return pooled


def _pooled_steps(maps: Tensor, n_steps: int) -> Tensor:
    """Mean and maximum over each step: (batch, n_steps, 2 x channels).

    By masks, whose number is fixed while that of the frames is not: a traced graph holds for any.
    """
    mean, peak = maps.mean(2), maps.amax(2)  # (batch, channels, frames)
    nth = torch.ones_like(mean[:1, :1]).cumsum(2)
    step = ((nth - 1) * n_steps / nth[..., -1:]).floor()
    inside = [(step == i).to(maps.dtype) for i in range(n_steps)]
    # Maxima of what ReLU left: nothing lies below the 0 of a mask.
    pooled = [
        torch.cat([(mean * mask).sum(2) / mask.sum(2), (peak * mask).amax(2)], dim=1)
        for mask in inside
    ]
    return torch.stack(pooled, dim=1)
