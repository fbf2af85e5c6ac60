"""Every net of the laboratory, by name."""

from __future__ import annotations

from collections.abc import Callable

from genrescope.lab.nets.base import Net
from genrescope.lab.nets.bigru import BiGRU
from genrescope.lab.nets.cnn import CNN
from genrescope.lab.nets.resbigru import ResBiGRU
from genrescope.lab.nets.resnet import ResNet18

NETS: dict[str, Callable[..., Net]] = {
    "cnn": CNN,
    "bigru": BiGRU,
    "resnet18": ResNet18,
    "res-bigru": ResBiGRU,
}

__all__ = ["NETS", "Net"]
