"""CSPDarknet53, held to its paper."""

from __future__ import annotations

import pytest
import torch

from genrescope.lab.nets.cspdarknet import CSPDarknet53


@pytest.mark.slow
def test_it_has_as_many_parameters_as_the_paper_counts() -> None:
    """27.6 million, for a thousand classes and pictures of three colours (YOLOv4, Table 1)."""
    grey = sum(p.numel() for p in CSPDarknet53(1000).parameters())
    assert round((grey + 2 * 32 * 3 * 3) / 1e6, 1) == 27.6


def test_each_stage_halves_both_axes() -> None:
    net, x = CSPDarknet53(5, width=4).eval(), torch.randn(1, 1, 64, 96)
    x = net.stem(x)
    assert x.shape == (1, 4, 64, 96)
    for i, stage in enumerate(net.stages, start=1):
        x = stage(x)
        assert x.shape == (1, 4 * 2**i, 64 // 2**i, 96 // 2**i)
