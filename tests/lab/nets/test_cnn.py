"""The plain CNN: four blocks, each of half the size and twice the channels."""

from __future__ import annotations

import torch

from genrescope.lab.nets.cnn import CNN


def test_each_block_halves_both_axes_and_doubles_the_channels() -> None:
    net, x = CNN(5, 32, width=4).eval(), torch.randn(2, 1, 32, 48)
    for n_channels, n_bins, n_frames in ((4, 16, 24), (8, 8, 12), (16, 4, 6), (32, 2, 3)):
        block, *rest = net.blocks
        x, net.blocks = block(x), torch.nn.Sequential(*rest)
        assert x.shape == (2, n_channels, n_bins, n_frames)
    assert len(net.blocks) == 0


def test_a_clip_that_goes_on_as_it_was_keeps_its_embedding() -> None:
    """It is a mean over time."""
    net = CNN(5, 16, width=4).eval()
    constant = torch.randn(1, 16, 1, generator=torch.Generator().manual_seed(0))
    short, long = net.embed(constant.expand(1, 16, 1_600)), net.embed(constant.expand(1, 16, 3_200))
    torch.testing.assert_close(short, long, atol=0.02, rtol=0.02)  # but for the edges' padding
    assert net.embed(constant.expand(1, 16, 1_600)).shape == (1, 32)
