"""Res-BiGRU, the talk's own proposal: ResNet18 and a bidirectional GRU side by side."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genrescope.lab.nets.base import Net
from genrescope.lab.nets.bigru import BiGRU
from genrescope.lab.nets.resnet import ResNet18


class ResBiGRU(Net):
    """Both branches see the same input; their embeddings are joined before one classifier.

    Args:
        n_classes: number of logits.
        n_bins: bins of the input.
        width: channels of the ResNet's first stage.
        hidden: units of one direction of the GRU.
        n_layers: stacked GRU layers.
        dropout: probability between GRU layers and at the joint embedding, in training.

    The embedding has 8 x width + 4 x hidden numbers.
    """

    def __init__(
        self,
        n_classes: int,
        n_bins: int = 128,
        *,
        width: int = 64,
        hidden: int = 128,
        n_layers: int = 2,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.resnet = ResNet18(n_classes, n_bins, width=width, dropout=dropout)
        self.bigru = BiGRU(n_classes, n_bins, hidden=hidden, n_layers=n_layers, dropout=dropout)
        self.n_resnet = 8 * width
        self.head = nn.Linear(self.n_resnet + 4 * hidden, n_classes)

    def embed(self, x: Tensor) -> Tensor:
        return torch.cat([self.resnet.embed(x), self.bigru.embed(x)], dim=1)

    def branch_logits(self, embedding: Tensor) -> tuple[Tensor, ...]:
        of_resnet, of_bigru = embedding.tensor_split([self.n_resnet], dim=1)
        return self.resnet.head(of_resnet), self.bigru.head(of_bigru)
