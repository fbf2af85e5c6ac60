"""CSPDarknet53, the backbone of YOLOv4, as a classifier of spectrogram images.

Bochkovskiy, Wang, Liao: YOLOv4: Optimal speed and accuracy of object detection. arXiv 2004.10934.
Used on mel images by Cheng and Kuo: Automatic music genre classification based on mel
spectrograms with YOLOv4. 2022. Mish: Misra, arXiv 1908.08681.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genrescope.lab.nets.base import Net


class CSPDarknet53(Net):
    """Five stages of halved resolution; in each, half of the channels skips the residual blocks.

    Args:
        n_classes: number of logits.
        n_bins: bins of the input; any number works, as the last pooling is global.
        width: channels of the stem, 32 in YOLOv4; the embedding has 32 x width numbers.
        dropout: probability at the embedding, in training.
    """

    def __init__(
        self, n_classes: int, n_bins: int = 128, *, width: int = 32, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.stem = _conv(1, width, 3)
        self.stages = nn.Sequential(
            _FirstStage(width),
            _Stage(2 * width, 4 * width, n_blocks=2),
            _Stage(4 * width, 8 * width, n_blocks=8),
            _Stage(8 * width, 16 * width, n_blocks=8),
            _Stage(16 * width, 32 * width, n_blocks=4),
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(32 * width, n_classes)

    def embed(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.dropout(self.stages(self.stem(x.unsqueeze(1))).mean(dim=(2, 3)))
        return pooled


class _Residual(nn.Module):
    def __init__(self, n_channels: int, n_hidden: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_conv(n_channels, n_hidden, 1), _conv(n_hidden, n_channels, 3))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


class _Stage(nn.Module):
    """Cross-stage partial stage: two 1x1 views, one of them through the residual blocks."""

    def __init__(self, n_in: int, n_out: int, *, n_blocks: int) -> None:
        super().__init__()
        half = n_out // 2
        self.down = _conv(n_in, n_out, 3, stride=2)
        self.skip = _conv(n_out, half, 1)
        self.deep = nn.Sequential(
            _conv(n_out, half, 1),
            *(_Residual(half, half) for _ in range(n_blocks)),
            _conv(half, half, 1),
        )
        self.join = _conv(2 * half, n_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.down(x)
        out: Tensor = self.join(torch.cat([self.deep(y), self.skip(y)], dim=1))
        return out


class _FirstStage(_Stage):
    """The first stage keeps all its channels in both views and narrows inside the block."""

    def __init__(self, width: int) -> None:
        n_out = 2 * width
        super().__init__(width, n_out, n_blocks=0)
        self.skip = _conv(n_out, n_out, 1)
        self.deep = nn.Sequential(
            _conv(n_out, n_out, 1), _Residual(n_out, width), _conv(n_out, n_out, 1)
        )
        self.join = _conv(2 * n_out, n_out, 1)


def _conv(n_in: int, n_out: int, kernel: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(n_out),
        nn.Mish(inplace=True),
    )
