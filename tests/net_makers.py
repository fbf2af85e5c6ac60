"""Small nets, and something to put into them."""

from __future__ import annotations

import torch

from genrescope.lab.nets import NETS, Net

N_CLASSES = 5
SMALL = {"bigru": {"hidden": 8}, "res-bigru": {"width": 8, "hidden": 8}}


def n_bins(name: str) -> int:
    return 1 if NETS[name].inputs == ("waveform",) else 32


def small_net(name: str) -> Net:
    torch.manual_seed(0)
    return NETS[name](N_CLASSES, n_bins(name), **SMALL.get(name, {"width": 8}))


def random_input(name: str, *, batch: int = 3, factor: float = 1.0) -> torch.Tensor:
    n_frames = int(NETS[name].min_frames * factor)
    return torch.randn(batch, n_bins(name), n_frames, generator=torch.Generator().manual_seed(1))
