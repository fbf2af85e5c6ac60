"""Nets in whole numbers: near the nets they come from, and within what every processor can add."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
from lab.export.test_channels import N_BINS, N_FRAMES, uneven, windows
from onnx import numpy_helper

from genrescope.lab.export.int8 import quantise
from genrescope.lab.export.onnx import onnx_net, to_onnx

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def whole() -> bytes:
    return to_onnx(uneven(), n_bins=N_BINS, n_frames=N_FRAMES, n_steps=2)


@pytest.fixture(scope="module")
def quantised(whole: bytes) -> bytes:
    return quantise(whole, windows(20))


def _kernels(content: bytes) -> list[np.ndarray]:
    """Weights of the convolutions, of whatever type."""
    tensors = onnx.load_from_string(content).graph.initializer
    return [x for x in map(numpy_helper.to_array, tensors) if x.ndim == 4]


def test_weights_cannot_overflow_16_bits_anywhere(quantised: bytes) -> None:
    first, *others = _kernels(quantised)
    assert first.dtype == np.float32
    assert first.shape[1] == 1
    assert len(others) == 5
    for weights in others:
        assert weights.dtype == np.int8
        largest = np.abs(weights.astype(int)).max(axis=(1, 2, 3))
        assert largest.max() <= 64  # two products with 255 are at most 32,640
        assert largest.min() >= 63  # each output channel has a scale of its own


def test_answers_are_near(whole: bytes, quantised: bytes) -> None:
    for batch in windows(5):
        ours, theirs = onnx_net(quantised)(batch), onnx_net(whole)(batch)
        spread = np.std(theirs.logits)
        for a, b in ((ours.logits, theirs.logits), (ours.steps, theirs.steps)):
            assert 0 < np.abs(a - b).max() < 0.2 * spread
        np.testing.assert_allclose(
            ours.embedding, theirs.embedding, atol=0.05 * np.abs(theirs.embedding).max()
        )


def test_the_contract_and_the_size(whole: bytes, quantised: bytes) -> None:
    def shapes(content: bytes) -> list[tuple[str, list[str | int]]]:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        return [(x.name, x.shape) for x in (*session.get_inputs(), *session.get_outputs())]

    assert shapes(quantised) == shapes(whole)
    sizes = [sum(x.nbytes for x in _kernels(content)) for content in (quantised, whole)]
    assert sizes[0] < 0.3 * sizes[1]
    assert b"/tmp" not in quantised


def test_whole_numbers_stay_so_from_convolution_to_convolution(
    quantised: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No convolution and no maximum of the graph that runs is of floats but the first."""
    path = tmp_path_factory.mktemp("graph") / "runs.onnx"
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(quantised, options, providers=["CPUExecutionProvider"])
    counts = Counter(node.op_type for node in onnx.load(path).graph.node)
    assert (counts["QLinearConv"], counts["Conv"], counts["QuantizeLinear"]) == (5, 1, 1)
    assert counts["MaxPool"] == 0 or counts["NhwcMaxPool"] == 0
