"""Modules as ONNX: what is called free is free, and what differs is refused."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from genrescope.errors import GenrescopeError
from genrescope.lab.tracing import PARITY, require_parity, trace


class _Sums(nn.Module):
    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return a.sum(dim=1) + b, a - a.mean(dim=1, keepdim=True)


def test_a_module_of_two_inputs_answers_alike_at_other_sizes() -> None:
    content = trace(
        _Sums().eval(),
        [torch.zeros(2, 3), torch.zeros(2)],
        inputs=["a", "b"],
        outputs=["total", "rest"],
        axes={"a": {0: "batch", 1: "n"}, "b": {0: "batch"}},
    )
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    a = np.arange(20, dtype=np.float32).reshape(4, 5)
    b = np.ones(4, np.float32)
    total, rest = session.run(["total", "rest"], {"a": a, "b": b})
    np.testing.assert_allclose(total, a.sum(axis=1) + 1)
    np.testing.assert_allclose(rest, a - a.mean(axis=1, keepdims=True), atol=1e-6)


def test_what_differs_too_much_is_refused() -> None:
    require_parity(PARITY)
    with pytest.raises(GenrescopeError, match=r"differs from torch by 0\.002, over 0\.001"):
        require_parity(2 * PARITY)
