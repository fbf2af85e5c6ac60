"""Torch nets answer by the path that ships."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genrescope.lab.inference import predict, torch_net
from genrescope.lab.nets import NETS
from genrescope.model.inference import Windowing

LENGTHS = (40, 40, 55, 40, 9, 200)


@pytest.mark.parametrize(
    ("stretched", "n_windows"), [(True, [2, 2, 2, 2, 1, 10]), (False, [3, 3, 3, 3, 1, 11])]
)
def test_clips_of_any_length_are_answered_together_as_alone(
    stretched: bool, n_windows: list[int]
) -> None:
    rng = np.random.default_rng(0)
    clips = [torch.from_numpy(rng.normal(size=(128, n)).astype(np.float16)) for n in LENGTHS]
    torch.manual_seed(0)
    net = NETS["compact"](3, 128, width=4)
    windowing = Windowing(19, 19, stretched=stretched)
    together = predict(net, clips, windowing)
    assert [len(output) for output in together] == n_windows
    for clip, output in zip(clips, together, strict=True):
        (alone,) = predict(net, [clip], windowing)
        np.testing.assert_allclose(output.logits, alone.logits, atol=1e-5)


def test_a_net_answers_with_logits_steps_and_embeddings() -> None:
    net = NETS["compact"](3, 128, width=4).train()
    x = np.random.default_rng(0).normal(size=(2, 128, 40)).astype(np.float32)
    output = torch_net(net, n_steps=3)(x)
    assert not net.training
    assert output.steps is not None
    assert output.embedding is not None
    assert output.steps.shape == (2, 3, 3)
    with torch.inference_mode():
        np.testing.assert_allclose(output.logits, net(torch.from_numpy(x)).numpy(), atol=1e-5)
        embedding = net.embed(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(output.embedding, embedding, atol=1e-5)
