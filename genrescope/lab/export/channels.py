"""Channels between two convolutions made equally large, so that 8 bits serve them all alike.

What a channel is divided by after one convolution, the next one's weights are multiplied by: ReLU
and maxima let factors above 0 through, and the net answers as before (Nagel et al. 2019, "Data-Free
Quantization Through Weight Equalization and Bias Correction", there by the sizes of weights).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, numpy_helper

from genrescope.lab.export.onnx import INPUT

LEAST_SHARE = 0.05
"""Channels that stay below this share of the largest are multiplied as if they reached it: the
sound of others may make more of them."""

_Link = tuple[NodeProto, NodeProto]
"""Two convolutions, the second of which takes what the first one gives."""


def equalise(model: onnx.ModelProto, windows: Iterable[NDArray[np.float32]]) -> None:
    """Make the channels between convolutions of an ONNX model equally large, in place.

    Args:
        model: with its batch normalisations folded into convolutions.
        windows: batches of what the net learned, (n_windows, n_bins, n_frames) each.
    """
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    links = _links(model, tensors)
    for (before, after), peaks in zip(links, _peaks(model, links, windows), strict=True):
        share = np.maximum(peaks / max(float(peaks.max()), 1e-12), LEAST_SHARE)
        weights, bias = before.input[1:]
        _multiply(tensors[weights], 1 / share, axis=0)
        _multiply(tensors[bias], 1 / share, axis=0)
        _multiply(tensors[after.input[1]], share, axis=1)


def _links(model: onnx.ModelProto, tensors: dict[str, TensorProto]) -> list[_Link]:
    """Convolutions with at most ReLU and maxima between them, whose weights are theirs alone."""
    readers: dict[str, list[NodeProto]] = defaultdict(list)
    for node in model.graph.node:
        for name in node.input:
            readers[name].append(node)

    def next_convolution(node: NodeProto) -> NodeProto | None:
        following = readers[node.output[0]]
        if len(following) != 1 or following[0].op_type not in ("Conv", "Relu", "MaxPool"):
            return None
        return following[0] if following[0].op_type == "Conv" else next_convolution(following[0])

    found = []
    for before in model.graph.node:
        after = next_convolution(before) if before.op_type == "Conv" else None
        if after is None or len(before.input) != 3:
            continue
        names = [*before.input[1:], after.input[1]]
        alone = all(name in tensors and len(readers[name]) == 1 for name in names)
        # Of a convolution in groups the weights have fewer channels.
        if alone and tensors[names[0]].dims[0] == tensors[names[2]].dims[1]:
            found.append((before, after))
    return found


def _peaks(
    model: onnx.ModelProto, links: list[_Link], windows: Iterable[NDArray[np.float32]]
) -> list[NDArray[np.float32]]:
    """How large each channel becomes between two convolutions, (n_channels,) for each link."""
    names = [after.input[0] for _, after in links]
    if not names:
        return []
    told = onnx.ModelProto()
    told.CopyFrom(model)
    told.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    session = onnxruntime.InferenceSession(
        told.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    of_batches = [
        [np.abs(maps).max(axis=(0, 2, 3)) for maps in session.run(names, {INPUT: batch})]
        for batch in windows
    ]
    return [np.max(of_link, axis=0) for of_link in zip(*of_batches, strict=True)]


def _multiply(tensor: TensorProto, factors: NDArray[np.floating], *, axis: int) -> None:
    """Multiply an initializer along an axis, in place."""
    values = numpy_helper.to_array(tensor)
    along = factors.reshape(-1, *[1] * (values.ndim - 1 - axis))
    tensor.CopyFrom(numpy_helper.from_array((values * along).astype(np.float32), tensor.name))
