"""What a net says of clips, and where nets run."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genrescope.lab.metrics import softmax
from genrescope.lab.training.examples import Examples

JUDGED_AT_ONCE = 64  # windows, at least; one by one they take ten times as long


def device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_bf16(where: torch.device) -> bool:
    """Whether bfloat16 is fast there."""
    if where.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported())


def predict_windows(net: nn.Module, data: Examples) -> list[NDArray[np.float32]]:
    """Logits of every window of every member, each float32 (n_windows, n_classes)."""
    where = next(net.parameters()).device
    was_training = net.training
    net.eval()
    answers: list[NDArray[np.float32]] = []
    waiting: list[Tensor] = []

    def judge() -> None:
        logits = net(torch.cat(waiting).to(where)).float().cpu()
        answers.extend(some.numpy() for some in logits.split([len(x) for x in waiting]))
        waiting.clear()

    with torch.inference_mode(), torch.autocast(where.type, torch.bfloat16, has_bf16(where)):
        for member in range(len(data)):
            windows = data.windows(member)
            if waiting and waiting[0].shape[1:] != windows.shape[1:]:
                judge()
            waiting.append(windows)
            if sum(map(len, waiting)) >= JUDGED_AT_ONCE:
                judge()
        if waiting:
            judge()
    net.train(was_training)
    return answers


def mean_probs(logits: list[NDArray[np.float32]], temperature: float = 1.0) -> NDArray[np.float64]:
    """Mean over a member's windows of softmax(logits / temperature): (n, n_classes)."""
    return np.stack([softmax(some, temperature).mean(axis=0) for some in logits])
