"""Every net of the laboratory, by name."""

from __future__ import annotations

from genrescope.lab.nets.base import Net
from genrescope.lab.nets.bbnn import BBNN
from genrescope.lab.nets.bigru import BiGRU
from genrescope.lab.nets.cnn import CNN
from genrescope.lab.nets.compact import Compact
from genrescope.lab.nets.cspdarknet import CSPDarknet53
from genrescope.lab.nets.raw import M5
from genrescope.lab.nets.resbigru import ResBiGRU
from genrescope.lab.nets.resnet import ResNet18

NETS: dict[str, type[Net]] = {
    "cnn": CNN,
    "bigru": BiGRU,
    "resnet18": ResNet18,
    "res-bigru": ResBiGRU,
    "compact": Compact,
    "bbnn": BBNN,
    "cspdarknet53": CSPDarknet53,
    "m5": M5,
}

__all__ = ["NETS", "Net"]
