"""Makes heads by hand: the tempo whose beats repeat most, the major key of the strongest note."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from genrescope.features.rhythm import MARGIN, N_TEMPI
from genrescope.model.heads import CHROMA_INPUTS, TEMPO_INPUTS
from genrescope.model.writing import Head

FIGURE = {"n": 10, "value": 0.5, "low": 0.2, "high": 0.8}


def _model(
    nodes: list[onnx.NodeProto],
    shapes: dict[str, tuple[int | None, ...]],
    n_classes: int,
    **constants: NDArray[np.generic],
) -> bytes:
    entries = [
        helper.make_tensor_value_info(
            name, TensorProto.FLOAT, ["batch", *(n or "n_free" for n in shape)]
        )
        for name, shape in shapes.items()
    ]
    answer = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", n_classes])
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", entries, [answer], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def tempo_onnx(*, n_tempi: int = N_TEMPI) -> bytes:
    """The autocorrelation of all bands together, ten times, is the logits."""
    nodes = [
        helper.make_node("Slice", ["tempogram", "first", "end", "axes"], ["part"]),
        helper.make_node("ReduceSum", ["part", "channel"], ["row"], keepdims=0),
        helper.make_node("ReduceSum", ["timbre", "channel"], ["sound"], keepdims=1),
        helper.make_node("Mul", ["sound", "nothing"], ["silent"]),
        helper.make_node("Mul", ["row", "ten"], ["loud"]),
        helper.make_node("Add", ["loud", "silent"], ["logits"]),
    ]
    return _model(
        nodes,
        dict(TEMPO_INPUTS),
        n_tempi,
        first=np.array([17, MARGIN]),
        end=np.array([18, MARGIN + n_tempi]),
        axes=np.array([1, 2]),
        channel=np.array([1]),
        nothing=np.array(0, np.float32),
        ten=np.array(10, np.float32),
    )


def key_onnx() -> bytes:
    """The mean chroma over octaves and time for the majors, nothing for the minors."""
    nodes = [
        helper.make_node("ReduceMean", ["chroma"], ["strength"], axes=[1, 3], keepdims=0),
        helper.make_node("MatMul", ["strength", "majors"], ["logits"]),
    ]
    return _model(
        nodes, dict(CHROMA_INPUTS), 24, majors=np.eye(12, 24, dtype=np.float32) * np.float32(10)
    )


def whole_key_onnx(*, n_mels: int = 128) -> bytes:
    """Of a log-mel: the first band for A major, the last one for all other keys."""
    weights = np.zeros((n_mels, 24), np.float32)
    weights[0, 0] = weights[-1, 1:] = 10
    nodes = [
        helper.make_node("ReduceMean", ["log_mel"], ["strength"], axes=[2], keepdims=0),
        helper.make_node("MatMul", ["strength", "weights"], ["logits"]),
    ]
    return _model(nodes, {"log_mel": (n_mels, None)}, 24, weights=weights)


def tiny_heads(*, beat: float = 0.0) -> dict[str, Head]:
    """Both, with figures that nobody measured."""
    training = {"data": "none: made by hand", "seed": 0}
    return {
        "tempo": Head(tempo_onnx(), training, {"accuracy1": FIGURE}, {"beat": beat}),
        "key": Head(key_onnx(), training, {"correct": FIGURE}, {}),
    }
