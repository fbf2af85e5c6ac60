"""Bidirectional GRU over spectrogram frames, the talk's recurrent net.

Cho et al.: Learning phrase representations using RNN encoder-decoder. EMNLP 2014.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genrescope.lab.nets.base import Net


class BiGRU(Net):
    """Frames as a sequence, read both ways; mean and maximum over time.

    Args:
        n_classes: number of logits.
        n_bins: bins of the input.
        hidden: units of one direction.
        n_layers: stacked GRU layers.
        dropout: probability between layers and at the embedding, in training.

    The embedding has 4 x hidden numbers.
    """

    def __init__(
        self,
        n_classes: int,
        n_bins: int = 128,
        *,
        hidden: int = 128,
        n_layers: int = 2,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.gru = nn.GRU(
            n_bins,
            hidden,
            num_layers=n_layers,
            batch_first=True,
            bidirectional=True,
            dropout=dropout if n_layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(4 * hidden, n_classes)

    def embed(self, x: Tensor) -> Tensor:
        states, _ = self.gru(x.transpose(1, 2))
        pooled: Tensor = self.dropout(torch.cat([states.mean(dim=1), states.amax(dim=1)], dim=1))
        return pooled
