"""Nets at half their size: their weights rounded, and nothing else."""

from __future__ import annotations

import base64

import numpy as np
import onnx
import pytest
from bundle_maker import tiny_onnx
from node_driver import Node, find_node
from onnx import TensorProto, helper, numpy_helper

from genrescope.errors import BundleError
from genrescope.model.bundle import DEFAULT_BUNDLE
from genrescope.web.halved import LEAST_BYTES, halve, whole


def _net(*arrays: np.ndarray) -> bytes:
    tensors = [numpy_helper.from_array(array, f"t{i}") for i, array in enumerate(arrays)]
    node = helper.make_node("Identity", ["t0"], ["y"])
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "g", [], [output], initializer=tensors)
    raw: bytes = helper.make_model(graph).SerializeToString()
    return raw


def _weights(net: bytes) -> list[np.ndarray]:
    return [numpy_helper.to_array(t) for t in onnx.load_from_string(net).graph.initializer]


def test_weights_are_rounded_to_16_bits_and_all_else_is_as_it_was() -> None:
    rng = np.random.default_rng(0)
    big = rng.normal(0, 0.1, (32, 32)).astype(np.float32)
    kept = [
        rng.normal(size=10).astype(np.float32),  # too small to be worth it
        rng.integers(0, 9, 1000),
        rng.normal(size=1000),  # of 64 bits
        np.full(1000, 1e6, np.float32),  # too large for 16 bits
    ]
    net = _net(big, *kept)
    halved, stretches = halve(net)
    assert stretches == [(s := net.index(big.tobytes()), s + big.nbytes)]
    assert len(halved) == len(net) - big.nbytes // 2
    found, *others = _weights(whole(halved, stretches))
    np.testing.assert_array_equal(found, big.astype(np.float16).astype(np.float32))
    for ours, theirs in zip(others, kept, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_nets_that_ship_have_hardly_a_float_of_32_bits_left() -> None:
    for path in sorted(DEFAULT_BUNDLE.parent.glob("*/*.onnx")):
        net = path.read_bytes()
        halved, stretches = halve(net)
        floats = sum(weights.nbytes for weights in _weights(net) if weights.dtype == np.float32)
        halves = sum(end - start for start, end in stretches)
        assert halves > floats - 40_000, path
        assert len(halved) == len(net) - halves // 2 < 1.7e6
        assert len(whole(halved, stretches)) == len(net)


@pytest.mark.parametrize("data", [b"no net at all", b"\x3a\xff\xff\xff\x7f"])
def test_what_is_no_net_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match="cannot be made smaller"):
        halve(data)


def test_a_net_without_weights_stays_as_it_is() -> None:
    net = _net(np.zeros(LEAST_BYTES // 4 - 1, np.float32))
    assert halve(net) == (net, [])


@pytest.mark.slow
def test_a_browser_makes_the_same_of_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    node: Node = find_node(tmp_path_factory.mktemp("node"))
    odd = [0.0, -0.0, 65_504, -65_504, 6e-8, -6e-8, 6.1e-5, 1, -1, 1 / 3]
    weights = np.resize(np.float32(odd), 1000)
    for net in (_net(weights, np.arange(300), weights[::-1].copy()), tiny_onnx()):
        halved, stretches = halve(net)
        job = {"bytes": base64.b64encode(halved).decode(), "stretches": stretches}
        (found,) = node.run("whole", [job], bundle=DEFAULT_BUNDLE)
        assert base64.b64decode(found) == whole(halved, stretches)
