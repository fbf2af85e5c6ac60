"""Several nets that answer as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from genrescope.lab.nets.base import Net


class Ensemble(Net):
    """Nets side by side: the mean of their logits, their embeddings joined."""

    def __init__(self, nets: Sequence[Net]) -> None:
        super().__init__()
        self.nets = nn.ModuleList(nets)
        self.head = _MeanOfHeads(nets)

    def embed(self, x: Tensor) -> Tensor:
        nets = cast("list[Net]", list(self.nets))
        return torch.cat([net.embed(x) for net in nets], dim=1)

    def embed_steps(self, x: Tensor, n_steps: int) -> tuple[Tensor, Tensor]:
        nets = cast("list[Net]", list(self.nets))
        wholes, steps = zip(*(net.embed_steps(x, n_steps) for net in nets), strict=True)
        most = max(of_net.shape[1] for of_net in steps)
        # A net that knows of the whole alone says the same of every step.
        filled = [of_net.expand(-1, most, -1) for of_net in steps]
        return torch.cat(wholes, dim=1), torch.cat(filled, dim=2)


class _MeanOfHeads(nn.Module):
    def __init__(self, nets: Sequence[Net]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(net.head for net in nets)

    def forward(self, joined: Tensor) -> Tensor:
        sizes = [cast("nn.Linear", head).in_features for head in self.heads]
        parts = torch.split(joined, sizes, dim=1)
        return torch.stack([head(e) for head, e in zip(self.heads, parts, strict=True)]).mean(0)


def together(nets: Sequence[Net]) -> Net:
    """The ensemble of several nets; one by itself."""
    return nets[0] if len(nets) == 1 else Ensemble(nets)
