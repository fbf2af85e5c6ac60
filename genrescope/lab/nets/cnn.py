"""The talk's plain CNN: four small convolution blocks."""

from __future__ import annotations

import itertools

from torch import Tensor, nn

from genrescope.lab.nets.base import Net


class CNN(Net):
    """Blocks of 3x3 convolution, normalisation, ReLU and 2x2 pooling; a global mean at the end.

    Args:
        n_classes: number of logits.
        n_bins: bins of the input, 16 or more.
        width: channels of the first block, doubled by each further one.
        dropout: probability at the embedding, in training.

    The embedding has 8 x width numbers.
    """

    def __init__(
        self, n_classes: int, n_bins: int = 128, *, width: int = 32, dropout: float = 0.3
    ) -> None:
        super().__init__()
        channels = [1, width, 2 * width, 4 * width, 8 * width]
        self.blocks = nn.Sequential(
            *(_block(n_in, n_out) for n_in, n_out in itertools.pairwise(channels))
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(8 * width, n_classes)

    def embed(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.dropout(self.blocks(x.unsqueeze(1)).mean(dim=(2, 3)))
        return pooled


def _block(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
    )
