"""ONNX models answer as the nets they come from, for any batch and any number of frames."""

from __future__ import annotations

import onnx
import pytest
import torch
from torch import nn

from genrescope.lab.export.onnx import check_parity, onnx_net, to_onnx
from genrescope.lab.nets import NETS, Net

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = {"bigru": {"hidden": 8}, "res-bigru": {"width": 8, "hidden": 8}}


def _small(name: str) -> tuple[Net, int]:
    torch.manual_seed(0)
    n_bins = 1 if NETS[name].inputs == ("waveform",) else 32
    return NETS[name](5, n_bins, **SMALL.get(name, {"width": 8})), n_bins


def _dims(value: onnx.ValueInfoProto) -> list[int | str]:
    return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_export_agrees_with_torch(name: str) -> None:
    net, n_bins = _small(name)
    # A step in training mode moves the running statistics away from their start.
    net.train()(torch.randn(4, n_bins, 2 * net.min_frames))
    n_frames = 2 * net.min_frames + 3
    content = to_onnx(net, n_bins=n_bins, n_frames=n_frames, n_steps=3)
    assert net.training
    for frames in (net.min_frames, n_frames + 4):
        assert check_parity(net, content, n_bins=n_bins, n_frames=frames, n_steps=3) < 1e-3

    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    assert [i.name for i in model.graph.input] == ["log_mel"]
    assert [o.name for o in model.graph.output] == ["logits", "embedding", "steps"]
    assert _dims(model.graph.input[0]) == ["batch", n_bins, "n_frames"]
    assert _dims(model.graph.output[0]) == ["batch", 5]
    assert b"site-packages" not in content
    assert b".py" not in content


def test_parity_sees_another_net() -> None:
    net, n_bins = _small("cnn")
    content = to_onnx(net, n_bins=n_bins, n_frames=32)
    with torch.no_grad():
        net.head.bias += 1.0
    assert check_parity(net, content, n_bins=n_bins, n_frames=32) > 0.9


def test_a_gru_stays_one_node_a_layer() -> None:
    net, n_bins = _small("bigru")
    model = onnx.load_from_string(to_onnx(net, n_bins=n_bins, n_frames=39))
    assert [n.op_type for n in model.graph.node].count("GRU") == 2


@pytest.mark.parametrize("falls", [False, True])
def test_maxima_come_after_what_never_falls(falls: bool) -> None:
    """A normalisation right after its convolution becomes part of it, and answers stay."""
    net, n_bins = _small("compact")
    net.train()(torch.randn(4, n_bins, 40))
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            torch.nn.init.uniform_(layer.weight, 0.1, 2)
            if falls:
                torch.nn.init.constant_(layer.weight[0], -1)
    content = to_onnx(net, n_bins=n_bins, n_frames=40)
    names = [node.op_type for node in onnx.load_from_string(content).graph.node]
    assert names.count("BatchNormalization") == (3 if falls else 0)
    assert check_parity(net, content, n_bins=n_bins, n_frames=40) < 1e-3


def test_a_model_is_a_function_of_windows() -> None:
    net, n_bins = _small("compact")
    content = to_onnx(net, n_bins=n_bins, n_frames=40, n_steps=3)
    x = torch.randn(2, n_bins, 40)
    output = onnx_net(content)(x.numpy())
    with torch.inference_mode():
        expected = net.eval().serve(x, 3)
    ours = (output.logits, output.embedding, output.steps)
    for found, wanted in zip(ours, expected, strict=True):
        assert found == pytest.approx(wanted.numpy(), abs=1e-4)
