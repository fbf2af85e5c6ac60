"""One contract for every net of the registry, and what is particular to some."""

from __future__ import annotations

import pytest
import torch
from net_makers import N_CLASSES, random_input, small_net
from torch import nn

from genrescope.features.config import KINDS
from genrescope.lab.nets import NETS

every_net = pytest.mark.parametrize("name", NETS)


@pytest.mark.slow
@every_net
@pytest.mark.parametrize("factor", [1.0, 2.5, 6.3])
def test_any_number_of_frames_gives_logits(name: str, factor: float) -> None:
    net = small_net(name).eval()
    x = random_input(name, factor=factor)
    embedding = net.embed(x)
    assert embedding.shape[0] == 3
    assert embedding.ndim == 2
    logits = net(x)
    assert logits.shape == (3, N_CLASSES)
    assert logits.isfinite().all()
    torch.testing.assert_close(net.head(embedding), logits)


@pytest.mark.slow
@every_net
def test_a_net_works_on_the_device_it_is_put_on(name: str) -> None:
    """The meta device computes nothing, and as a GPU does refuses what was left on another."""
    net = small_net(name).train().to("meta")
    embedding = net.embed(random_input(name, factor=2.5).to("meta"))
    answers = (net.head(embedding), *net.branch_logits(embedding))
    torch.stack([logits.mean() for logits in answers]).sum().backward()
    assert {p.grad.device.type for p in net.parameters() if p.grad is not None} == {"meta"}


@every_net
def test_every_parameter_gets_a_gradient(name: str) -> None:
    net = small_net(name).train()
    y, embedding = torch.tensor([0, 1, 2]), net.embed(random_input(name, factor=2.5))
    answers = (net.head(embedding), *net.branch_logits(embedding))
    sum(nn.functional.cross_entropy(logits, y) for logits in answers).backward()
    for key, parameter in net.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        # A bias before a normalisation has a gradient of zero by right; a weight has not.
        assert parameter.ndim == 1 or parameter.grad.any(), key


@every_net
def test_a_clip_does_not_depend_on_its_batch(name: str) -> None:
    net = small_net(name).eval()
    x = random_input(name, batch=4)
    with torch.inference_mode():
        torch.testing.assert_close(net(x)[2:3], net(x[2:3]), atol=1e-5, rtol=1e-4)


@pytest.mark.slow
@every_net
def test_a_few_steps_learn_two_clips(name: str) -> None:
    net = small_net(name).train()
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    x, y = random_input(name, batch=2, factor=2.0), torch.tensor([0, 3])
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    losses = []
    for _ in range(25):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


@every_net
def test_input_names_are_known(name: str) -> None:
    assert NETS[name].inputs
    assert set(NETS[name].inputs) <= set(KINDS)


@every_net
def test_one_step_is_the_whole(name: str) -> None:
    net = small_net(name).eval()
    x = random_input(name, factor=2.0)
    logits, embedding, steps = net.serve(x, 1)
    torch.testing.assert_close(embedding, net.embed(x))
    torch.testing.assert_close(logits, net(x))
    torch.testing.assert_close(steps, logits[:, None])
