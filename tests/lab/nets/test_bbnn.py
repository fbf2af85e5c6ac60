"""BBNN, held to its paper."""

from __future__ import annotations

from torch import nn

from genrescope.lab.nets.bbnn import BBNN


def test_bbnn_has_as_many_weights_as_its_paper_counts() -> None:
    layers = [m for m in BBNN(10).modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert sum(p.numel() for m in layers for p in m.parameters()) == 180_458
