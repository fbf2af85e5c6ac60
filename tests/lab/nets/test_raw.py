"""M5, held to its paper."""

from __future__ import annotations

import torch
from torch import nn

from genrescope.lab.nets.raw import M5


def test_the_layers_are_those_of_the_paper() -> None:
    """Table 1 of Dai et al.: [80/4, 128], then kernels of 3 with 128, 256 and 512 channels."""
    layers = [m for m in M5(10).modules() if isinstance(m, nn.Conv1d)]
    found = [(m.kernel_size[0], m.stride[0], m.out_channels) for m in layers]
    assert found == [(80, 4, 128), (3, 1, 128), (3, 1, 256), (3, 1, 512)]
    assert sum(m.weight.numel() for m in layers) == 550_912


def test_a_step_of_the_last_map_is_1024_samples() -> None:
    net = M5(5, width=4).eval()
    assert net.blocks(torch.randn(1, 1, 8 * 1024)).shape == (1, 16, 8)
    assert net.blocks(torch.randn(1, 1, M5.min_frames)).shape == (1, 16, 2)
