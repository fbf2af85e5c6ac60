"""BBNN: a small net that keeps low-level detail at hand for the decision.

Liu, Feng, Liu, Wang, Liu: Bottom-up broadcast neural network for music genre classification.
Multimedia Tools and Applications 80, 2021 (arXiv 1901.08928).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genrescope.lab.nets.base import Net


class BBNN(Net):
    """Three inception blocks, each fed with all that came before, then a narrow decision.

    With the paper's 32 channels and ten classes, convolutions and classifier have the 180,458
    weights it counts; normalisation adds its own.

    Args:
        n_classes: number of logits.
        n_bins: bins of the input, 2 or more.
        width: channels of every convolution.
        dropout: probability at the embedding, in training; the paper has none.

    The embedding has `width` numbers.
    """

    def __init__(
        self, n_classes: int, n_bins: int = 128, *, width: int = 32, dropout: float = 0.0
    ) -> None:
        super().__init__()
        # The paper's first pooling is along time alone: 4 frames of hop 1024 at 22,050 Hz.
        self.shallow = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.MaxPool2d((1, 4)),
        )
        self.broadcast = nn.ModuleList(_Inception(width + 4 * width * i, width) for i in range(3))
        self.transition = nn.Sequential(_conv(13 * width, width, 1), nn.MaxPool2d(2))
        self.decision = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, n_classes)

    def embed(self, x: Tensor) -> Tensor:
        y = self.shallow(x.unsqueeze(1))
        for block in self.broadcast:
            y = torch.cat([y, block(y)], dim=1)
        pooled: Tensor = self.dropout(self.decision(self.transition(y)).mean(dim=(2, 3)))
        return pooled


class _Inception(nn.Module):
    """Four views of the same maps, from one point to 5x5, side by side: 4 x n_out channels."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [
                _conv(n_in, n_out, 1),
                nn.Sequential(_conv(n_in, n_out, 1), _conv(n_out, n_out, 3)),
                nn.Sequential(_conv(n_in, n_out, 1), _conv(n_out, n_out, 5)),
                nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), _conv(n_in, n_out, 1)),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def _conv(n_in: int, n_out: int, kernel: int) -> nn.Sequential:
    # Not in place: every branch reads the same maps.
    return nn.Sequential(
        nn.BatchNorm2d(n_in), nn.ReLU(), nn.Conv2d(n_in, n_out, kernel, padding=kernel // 2)
    )
