"""From a trained torch net to the ONNX bytes of a bundle, and the proof that both agree."""

from __future__ import annotations

import copy

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genrescope.lab.nets.base import Net
from genrescope.lab.tracing import trace
from genrescope.model import inference
from genrescope.model.inference import NetOutput

INPUT, OUTPUTS = "log_mel", ("logits", "embedding", "steps")


class _Served(nn.Module):
    """What a bundle serves: all outputs from one pass."""

    def __init__(self, net: Net, n_steps: int) -> None:
        super().__init__()
        self.net, self.n_steps = net, n_steps

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.net.serve(x, self.n_steps)


def to_onnx(net: Net, *, n_bins: int, n_frames: int, n_steps: int = 1) -> bytes:
    """An ONNX model of a net in evaluation mode; the net itself is left as it is.

    Args:
        net: any net of the registry, on any device.
        n_bins: bins of its input, fixed in the model.
        n_frames: frames to trace with; batch and frames stay free in the model.
        n_steps: equal parts of a window that the model classifies one by one as well.

    Returns:
        Model with input "log_mel" float32 (batch, n_bins, n_frames) and outputs "logits"
        (batch, n_classes), "embedding" (batch, d) and "steps" (batch, n_steps or 1, n_classes),
        see `Net.serve`.
    """
    served = _Served(copy.deepcopy(net).cpu().float(), n_steps).eval()
    for layers in served.modules():
        if isinstance(layers, nn.Sequential):
            _pool_last(layers)
    return trace(
        served,
        [torch.zeros(2, n_bins, n_frames)],
        inputs=[INPUT],
        outputs=OUTPUTS,
        axes={INPUT: {0: "batch", 2: "n_frames"}, **{name: {0: "batch"} for name in OUTPUTS}},
    )


def _pool_last(layers: nn.Sequential) -> None:
    """Put maxima after what never falls, which gives the same.

    A batch normalisation that follows its convolution directly becomes part of it; in between,
    maxima of whole numbers would be made floats for it.
    """
    for i in reversed(range(len(layers) - 1)):
        for j in range(i, len(layers) - 1):
            if not isinstance(layers[j], nn.MaxPool2d) or not _never_falls(layers[j + 1]):
                break
            layers[j], layers[j + 1] = layers[j + 1], layers[j]


def _never_falls(layer: nn.Module) -> bool:
    if isinstance(layer, nn.BatchNorm2d):
        return layer.weight is None or bool((layer.weight >= 0).all())
    return isinstance(layer, nn.ReLU)


def onnx_net(onnx_bytes: bytes) -> inference.Net:
    """An ONNX model as a function from windows to a `NetOutput`; what a bundle will answer."""
    session = onnxruntime.InferenceSession(onnx_bytes, providers=["CPUExecutionProvider"])

    def answer(windows: NDArray[np.float32]) -> NetOutput:
        logits, embedding, steps = session.run(list(OUTPUTS), {INPUT: windows})
        return NetOutput(logits, steps, embedding)

    return answer


def check_parity(
    net: Net, onnx_bytes: bytes, *, n_bins: int, n_frames: int, n_steps: int = 1, seed: int = 0
) -> float:
    """Largest difference between torch and onnxruntime over all outputs.

    It is a share of the number where that is above 1: whitening makes some large.
    Tried on standard normal input in several batch sizes, at n_frames and at about twice as
    many.

    Args:
        net: the net that was exported.
        onnx_bytes: what `to_onnx` returned.
        n_bins: bins of the input.
        n_frames: frames of the shortest input to try.
        n_steps: as `to_onnx` was given.
        seed: of the random input.
    """
    served = _Served(copy.deepcopy(net).cpu().float(), n_steps).eval()
    session = onnxruntime.InferenceSession(onnx_bytes, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(seed)
    worst = 0.0
    for batch, frames in ((1, n_frames), (3, n_frames), (2, 2 * n_frames + 1)):
        x = rng.standard_normal((batch, n_bins, frames), dtype=np.float32)
        with torch.inference_mode():
            expected = served(torch.from_numpy(x))
        for want, got in zip(expected, session.run(list(OUTPUTS), {INPUT: x}), strict=True):
            gap = np.abs(want.numpy() - got) / np.maximum(np.abs(want.numpy()), 1)
            worst = max(worst, float(gap.max()))
    return worst
