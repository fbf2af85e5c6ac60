"""ONNX nets in whole numbers: a third of the time and a quarter of the size.

Convolutions take activations of 8 bits and weights of 7, by post-training static quantisation
(Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference"): weights have a scale for each output channel, activations one
from clips that were learned, after `genrescope.lab.export.channels` made channels equally large.
7 bits, because processors without VNNI add two products in 16 bits and keep to the largest number
where they do not fit: 2 x 255 x 64 always does, so the sums are the same everywhere.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.quant_utils import add_pre_process_metadata

from genrescope.lab.export.channels import equalise
from genrescope.lab.export.onnx import INPUT

CALIBRATION_CLIPS = 100
"""Clips that tell how large activations become; 30 gave the same accuracy (docs/log.md)."""

HOW = (
    "convolutions but the first in whole numbers: activations of 8 bits, weights of 7; ranges of "
    f"up to {CALIBRATION_CLIPS} training clips"
)
"""What a bundle says of such a net."""

_OPERATORS = ("Conv", "Relu", "MaxPool")
"""What is computed in whole numbers: what stands between two convolutions has to be as well."""


def quantise(onnx_bytes: bytes, windows: Iterable[NDArray[np.float32]]) -> bytes:
    """A net with its convolutions in whole numbers.

    Those of a single channel, as over the spectrogram itself, stay as they are: they have few
    products, and decibels need more than 8 bits.

    Args:
        onnx_bytes: of a net as `to_onnx` gives it, without batch normalisations of their own.
        windows: batches of what the net learned, (n_windows, n_bins, n_frames) each; the largest
            activation among them is the largest that the net knows afterwards.
    """
    model, batches = onnx.load_from_string(onnx_bytes), list(windows)
    equalise(model, batches)
    add_pre_process_metadata(model)  # the exporter has folded what could be: no warning
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        quantize_static(
            model,
            path,
            _Windows(batches),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_OPERATORS),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_of_one_channel(model),
            calibrate_method=CalibrationMethod.MinMax,
        )
        return path.read_bytes()


def _of_one_channel(model: onnx.ModelProto) -> list[str]:
    """Names of the convolutions over a single channel."""
    channels = {
        weights.name: weights.dims[1]
        for weights in model.graph.initializer
        if len(weights.dims) > 1
    }
    return [
        n.name for n in model.graph.node if n.op_type == "Conv" and channels.get(n.input[1]) == 1
    ]


class _Windows:
    """Batches as ONNX Runtime's calibration asks for them: a `CalibrationDataReader`."""

    def __init__(self, windows: Iterable[NDArray[np.float32]]) -> None:
        self._batches = iter(windows)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}
