"""Channels made equally large: the net answers as before, and none is small any more."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import nn

from genrescope.lab.export.channels import LEAST_SHARE, equalise
from genrescope.lab.export.onnx import onnx_net, to_onnx
from genrescope.lab.nets import NETS, Net

pytestmark = pytest.mark.usefixtures("one_thread")

N_BINS, N_FRAMES = 32, 40


def uneven(name: str = "compact") -> Net:
    """A net some of whose channels are several times as large as others."""
    torch.manual_seed(0)
    net = NETS[name](5, N_BINS, width=4)
    net.train()(torch.randn(4, N_BINS, N_FRAMES))  # running statistics leave their start
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.weight.copy_(10 ** torch.linspace(-0.5, 0.5, len(layer.weight)))
                layer.bias.copy_(torch.randn(len(layer.bias)) * layer.weight)
    return net.eval()


def windows(n: int = 3) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal((2, N_BINS, N_FRAMES), dtype=np.float32) for _ in range(n)]


def _peaks(model: onnx.ModelProto) -> list[np.ndarray]:
    """Of each activation that a convolution takes, the largest value of each channel."""
    graph = model.graph
    names = [node.input[0] for node in graph.node if node.op_type == "Conv"][1:]
    told = onnx.ModelProto()
    told.CopyFrom(model)
    del told.graph.output[:]
    told.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    evaluator = ReferenceEvaluator(told)
    maps = [evaluator.run(names, {"log_mel": batch}) for batch in windows()]
    return [np.max([m.max((0, 2, 3)) for m in same], axis=0) for same in zip(*maps, strict=True)]


def test_answers_stay_and_channels_become_equally_large() -> None:
    before = to_onnx(uneven(), n_bins=N_BINS, n_frames=N_FRAMES, n_steps=2)
    model = onnx.load_from_string(before)
    uneven_peaks = _peaks(model)
    equalise(model, windows())
    onnx.checker.check_model(model, full_check=True)
    for was, peaks in zip(uneven_peaks, _peaks(model), strict=True):
        share = was / was.max()
        np.testing.assert_allclose(peaks, was.max() * np.minimum(share / LEAST_SHARE, 1), rtol=1e-3)
        assert (peaks / peaks.max()).mean() > 1.2 * share.mean()
    ours, theirs = (
        net(windows()[0]) for net in (onnx_net(model.SerializeToString()), onnx_net(before))
    )
    np.testing.assert_allclose(ours.logits, theirs.logits, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(ours.embedding, theirs.embedding, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(ours.steps, theirs.steps, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["cnn", "resnet18", "cspdarknet53"])
def test_other_nets_answer_as_before_too(name: str) -> None:
    before = to_onnx(uneven(name), n_bins=N_BINS, n_frames=N_FRAMES)
    model = onnx.load_from_string(before)
    equalise(model, windows())
    for batch in windows():
        ours, theirs = (
            net(batch).logits for net in map(onnx_net, (model.SerializeToString(), before))
        )
        np.testing.assert_allclose(ours, theirs, atol=1e-3 * np.abs(theirs).max())


def test_what_another_layer_sees_too_stays_as_it_is() -> None:
    """Between two convolutions of a residual block, the first one's sum is seen by the shortcut."""
    model = onnx.load_from_string(to_onnx(uneven("resnet18"), n_bins=N_BINS, n_frames=N_FRAMES))
    tensors = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    read = [name for node in model.graph.node for name in node.input]
    first = next(node for node in model.graph.node if node.op_type == "Conv")
    pooled = next(n for n in model.graph.node if n.op_type == "MaxPool").output[0]
    assert read.count(pooled) == 2
    equalise(model, windows())
    after = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    np.testing.assert_array_equal(after[first.input[1]], tensors[first.input[1]])
    assert any((after[name] != tensors[name]).any() for name in tensors)
