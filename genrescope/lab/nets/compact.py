"""A narrow CNN that keeps time: pitch is pooled early, frames late. Small, for small data."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genrescope.lab.nets.base import Net

# (bands, frames) by which each block pools; frames are scarce at 13 a second.
POOLS = ((2, 1), (2, 2), (2, 1), (2, 2), None)
WIDTHS = (1, 2, 4, 4, 6)


class Compact(Net):
    """Five convolutions with batch normalisation; mean and maximum over what is left.

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
        width: int = 20,
        dropout: float = 0.3,
        band_share: float = 0.5,
    ) -> None:
        super().__init__()
        self.band_share = band_share
        blocks: list[nn.Module] = []
        n_in = 1
        for factor, pool in zip(WIDTHS, POOLS, strict=True):
            n_out = factor * width
            blocks += [
                nn.Conv2d(n_in, n_out, 3, padding=1, bias=False),
                nn.BatchNorm2d(n_out),
                nn.ReLU(inplace=True),
            ]
            if pool is not None:
                blocks.append(nn.MaxPool2d(pool))
            n_in = n_out
        self.blocks = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * n_in, n_classes)

    def embed(self, x: Tensor) -> Tensor:
        x = x - self.band_share * x.mean(2, keepdim=True)
        maps = self.blocks(x.unsqueeze(1).contiguous(memory_format=torch.channels_last))
        pooled: Tensor = self.dropout(torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], dim=1))
        return pooled
