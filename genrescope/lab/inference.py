"""Torch nets as `genrescope.model.inference` takes them, and where they run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrescope.lab.nets.base import Net
from genrescope.model import inference
from genrescope.model.inference import NetOutput, Windowing

BATCH_FRAMES = 2500
"""Frames that a torch net is given at a time; windows one by one take ten times as long."""


def device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_bf16(where: torch.device) -> bool:
    """Whether bfloat16 is fast there."""
    if where.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported())


def torch_net(net: Net, *, n_steps: int = 1, bf16: bool = False) -> inference.Net:
    """A torch net, put into evaluation mode, as a function from windows to a `NetOutput`.

    Args:
        net: on any device.
        n_steps: equal parts of a window that are told apart as well, see `Net.serve`.
        bf16: compute in bfloat16, faster and rougher than what ships; for validation alone.
    """
    net.eval()
    where = next(net.parameters()).device

    def numbers(x: Tensor) -> NDArray[np.float32]:
        return x.float().cpu().numpy()

    def answer(windows: NDArray[np.float32]) -> NetOutput:
        with torch.inference_mode(), torch.autocast(where.type, torch.bfloat16, bf16):
            logits, embedding, steps = net.serve(torch.from_numpy(windows).to(where), n_steps)
        return NetOutput(numbers(logits), numbers(steps), numbers(embedding))

    return answer


def predict(
    net: Net,
    clips: Iterable[NDArray[np.floating]] | Sequence[Tensor],
    windowing: Windowing,
    *,
    bf16: bool = False,
) -> list[NetOutput]:
    """What a torch net says of the windows of each clip.

    Args:
        net: on any device; put into evaluation mode.
        clips: standardised, (n_bins, n_frames) each.
        windowing: how clips are cut.
        bf16: see `torch_net`.
    """
    arrays = (clip.numpy() if isinstance(clip, Tensor) else clip for clip in clips)
    answer = torch_net(net, bf16=bf16)
    return list(inference.infer(arrays, answer, windowing, batch_frames=BATCH_FRAMES))
