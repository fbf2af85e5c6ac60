"""Nets without casts of truths: the same numbers from other nodes, and nothing else changed."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from bundle_maker import tiny_onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from genrescope.errors import BundleError
from genrescope.model.bundle import shipped_bundles
from genrescope.web.uncast import without_casts


def _net() -> bytes:
    """Which of two numbers are equal, as floats and as whole numbers; and half of the first."""
    nodes = [
        helper.make_node("Equal", ["x", "z"], ["same"]),
        helper.make_node("Cast", ["same"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["same"], ["wholes"], to=TensorProto.INT64),
        helper.make_node("Cast", ["x"], ["down"], to=TensorProto.FLOAT),
        helper.make_node("LeakyRelu", ["down"], ["leaky"], alpha=0.5),
    ]
    kinds = {"floats": TensorProto.FLOAT, "wholes": TensorProto.INT64, "leaky": TensorProto.FLOAT}
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in ("x", "z")]
    outputs = [helper.make_tensor_value_info(name, kind, [4]) for name, kind in kinds.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    opset = helper.make_opsetid("", 17)
    raw: bytes = helper.make_model(graph, opset_imports=[opset], ir_version=9).SerializeToString()
    return raw


def _operators(net: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(net).graph.node]


def _answers(net: bytes, **inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    session = ort.InferenceSession(net, providers=["CPUExecutionProvider"])
    answers: list[NDArray[np.float32]] = session.run(None, inputs)
    return answers


def test_truths_become_numbers_without_a_cast() -> None:
    net = _net()
    changed = without_casts(net)
    onnx.checker.check_model(onnx.load_from_string(changed))
    assert _operators(changed) == ["Equal", "Where", "Cast", "Cast", "LeakyRelu"]
    x, z = np.float32([[1, 2, -3, 0], [1, -2, -3, 4]])
    for before, after in zip(_answers(net, x=x, z=z), _answers(changed, x=x, z=z), strict=True):
        assert before.dtype == after.dtype
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("name", ["default", "wide"])
def test_nets_that_ship_cast_nothing_in_a_browser_and_answer_the_same(name: str) -> None:
    (folder,) = [path for path in shipped_bundles() if path.name == name]
    net = (folder / "model.onnx").read_bytes()
    changed = without_casts(net)
    assert "Cast" not in _operators(changed)
    windows = np.random.default_rng(0).standard_normal((1, 128, 26)).astype(np.float32)
    before, after = _answers(net, log_mel=windows), _answers(changed, log_mel=windows)
    for ours, theirs in zip(after, before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_net_without_casts_stays_as_it_is() -> None:
    net = tiny_onnx()
    assert without_casts(net) == net


@pytest.mark.parametrize("data", [b"no net at all", b"\x3a\xff\xff\xff\x7f", b"\x38\x01"])
def test_what_is_no_net_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match="cannot be rewritten"):
        without_casts(data)
