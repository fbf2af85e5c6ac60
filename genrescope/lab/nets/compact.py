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


class SubBandNorm(nn.Module):
    """Batch normalisation of each part of the bands by itself (Chang et al. 2021).

    Args:
        n_channels: of the maps.
        n_parts: equal parts of their rows.

    Bass and treble are spread differently; normalised together the louder of them decides, and
    a convolution cannot tell them apart.
    """

    def __init__(self, n_channels: int, n_parts: int) -> None:
        super().__init__()
        self.n_parts = n_parts
        self.norm = nn.BatchNorm2d(n_channels * n_parts)

    def forward(self, x: Tensor) -> Tensor:
        """Of maps (batch, n_channels, n_rows, n_frames), n_rows a multiple of ``n_parts``."""
        batch, n_channels, n_rows, n_frames = x.shape
        parts = (batch, n_channels * self.n_parts, n_rows // self.n_parts, n_frames)
        apart: Tensor = self.norm(x.contiguous().view(parts))
        return apart.view(x.shape).contiguous(memory_format=torch.channels_last)


class Compact(Net):
    """Six convolutions; mean and maximum over what is left.

    Maxima are taken before batch normalisation, which costs less than the other order and learns
    better (docs/log.md, 2026-11-24).

    Args:
        n_classes: number of logits.
        n_bins: any, if ``sub_bands`` is 1; the net is convolutional.
        width: channels of the first block; the last has six times as many.
        dropout: probability at the embedding, in training.
        band_share: share of each band's mean over the excerpt that is taken away first, 0 to 1:
            what a microphone or a mix colours, the net need not see.
        sub_bands: parts of the bands that the first convolution and the pooled ones normalise by
            themselves. Their rows must be multiples of it.

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
        sub_bands: int = 1,
    ) -> None:
        super().__init__()
        self.band_share = band_share
        n_rows = -(-n_bins // FIRST_STRIDE[0])
        padding = (FIRST_KERNEL[0] // 2, FIRST_KERNEL[1] // 2)
        first = nn.Conv2d(1, width, FIRST_KERNEL, FIRST_STRIDE, padding, bias=False)
        layers = [first, _norm(width, n_rows, sub_bands), nn.ReLU(inplace=True)]
        n_in = width
        for factor, pool in BLOCKS:
            n_out = factor * width
            layers.append(nn.Conv2d(n_in, n_out, 3, padding=1, bias=False))
            if pool is not None:
                layers.append(nn.MaxPool2d(pool))
                n_rows //= pool[0]
            n_parts = sub_bands if pool is not None else 1
            layers += [_norm(n_out, n_rows, n_parts), nn.ReLU(inplace=True)]
            n_in = n_out
        self.blocks = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * n_in, n_classes)

    def embed(self, x: Tensor) -> Tensor:
        x = x - self.band_share * x.mean(2, keepdim=True)
        maps = self.blocks(x.unsqueeze(1).contiguous(memory_format=torch.channels_last))
        pooled: Tensor = self.dropout(torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], dim=1))
        return pooled


def _norm(n_channels: int, n_rows: int, n_parts: int) -> nn.Module:
    if n_parts == 1:
        return nn.BatchNorm2d(n_channels)
    if n_parts < 1 or n_rows % n_parts:
        raise ValueError(f"{n_rows} rows of bands do not make {n_parts} equal sub_bands")
    return SubBandNorm(n_channels, n_parts)
