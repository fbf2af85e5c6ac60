"""From a torch module to ONNX bytes, and the bound within which both must agree."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from genrescope.errors import GenrescopeError

PARITY = 1e-3
"""Largest difference between torch and ONNX Runtime of what ships."""


def trace(
    module: nn.Module,
    examples: Sequence[Tensor],
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    axes: Mapping[str, Mapping[int, str]],
) -> bytes:
    """An ONNX model of a module in evaluation mode.

    Args:
        module: what is traced, on the processor.
        examples: its arguments.
        inputs, outputs: their names in the model, in order.
        axes: for each of them the dimensions that stay free, and what to call these.
    """
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder) / "model.onnx"
        # The TorchScript exporter, deprecated in torch 2.9, is chosen knowingly: it writes a GRU
        # as one GRU node, where the newer exporter writes a slow loop over frames, for some nets
        # with the number of frames frozen, and stores source paths of this machine in the file.
        # Its warnings of GRUs and sizes that tracing might freeze are answered by comparing the
        # model with the module, at other sizes too; what it does not compute beforehand is computed
        # later.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", "Converting a tensor to a Python")
        warnings.filterwarnings("ignore", "Constant folding - Only steps=1")
        warnings.filterwarnings("ignore", "Exporting a model to ONNX with a batch_size")
        torch.onnx.export(
            module,
            tuple(examples),
            path,
            dynamo=False,
            opset_version=17,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={name: dict(free) for name, free in axes.items()},
        )
        return path.read_bytes()


def require_parity(gap: float) -> None:
    """Refuse what ONNX Runtime does not compute as torch does.

    Args:
        gap: the largest difference that was found.

    Raises:
        GenrescopeError: it is over `PARITY`.
    """
    if gap > PARITY:
        raise GenrescopeError(f"ONNX Runtime differs from torch by {gap:.2g}, over {PARITY:g}.")
