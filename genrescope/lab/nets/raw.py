"""M5, a convolutional net on the raw waveform.

Dai, Dai, Qu, Li, Das: Very deep convolutional neural networks for raw waveforms. ICASSP 2017.
"""

from __future__ import annotations

import itertools
from typing import ClassVar

from torch import Tensor, nn

from genrescope.lab.nets.base import Net


class M5(Net):
    """A first layer as wide as a filterbank's, then small kernels; a global mean at the end.

    Args:
        n_classes: number of logits.
        n_bins: channels of the waveform, 1 for mono.
        width: channels of the first layer, 128 in the paper.
        dropout: probability at the embedding, in training.

    x is (batch, n_bins, n_samples), standardised like a spectrogram. The embedding has
    4 x width numbers.
    """

    inputs: ClassVar[tuple[str, ...]] = ("waveform",)
    min_frames: ClassVar[int] = 2048

    def __init__(
        self, n_classes: int, n_bins: int = 1, *, width: int = 128, dropout: float = 0.0
    ) -> None:
        super().__init__()
        channels = [width, width, 2 * width, 4 * width]
        self.blocks = nn.Sequential(
            _block(n_bins, width, kernel=80, stride=4),
            *(_block(n_in, n_out, kernel=3) for n_in, n_out in itertools.pairwise(channels)),
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(4 * width, n_classes)

    def embed(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.dropout(self.blocks(x).mean(dim=2))
        return pooled


def _block(n_in: int, n_out: int, *, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(n_in, n_out, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm1d(n_out),
        nn.ReLU(inplace=True),
        nn.MaxPool1d(4),
    )
