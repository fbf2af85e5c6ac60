"""What a net is given by its base: answers for steps, and none of branches."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from genrescope.lab.nets.base import Net


class _Means(Net):
    """Its embedding: the mean of each bin."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 3)

    def embed(self, x: Tensor) -> Tensor:
        return x.mean(dim=2)


class _MeansOfSteps(_Means):
    """Tells each part of a clip by itself."""

    def embed_steps(self, x: Tensor, n_steps: int) -> tuple[Tensor, Tensor]:
        steps = torch.stack([part.mean(dim=2) for part in x.chunk(n_steps, dim=2)], dim=1)
        return self.embed(x), steps


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 4, 24, generator=torch.Generator().manual_seed(0))


def test_logits_are_the_head_of_the_embedding(x: Tensor) -> None:
    net = _Means()
    torch.testing.assert_close(net(x), net.head(x.mean(dim=2)))


def test_a_net_that_keeps_no_time_tells_the_whole_whatever_it_is_asked(x: Tensor) -> None:
    net = _Means()
    logits, embedding, steps = net.serve(x, 3)
    assert steps.shape == (2, 1, 3)
    torch.testing.assert_close(steps[:, 0], logits)
    torch.testing.assert_close(embedding, net.embed(x))
    assert net.branch_logits(embedding) == ()


def test_a_net_that_keeps_no_bands_tells_the_whole_twice(x: Tensor) -> None:
    embedding, by_band = _Means().embed_by_band(x)
    assert embedding is by_band
    torch.testing.assert_close(embedding, x.mean(dim=2))


def test_each_step_is_told_as_the_net_tells_it_alone(x: Tensor) -> None:
    net = _MeansOfSteps()
    logits, _, steps = net.serve(x, 3)
    torch.testing.assert_close(logits, net(x))
    assert steps.shape == (2, 3, 3)
    for i, part in enumerate(x.chunk(3, dim=2)):
        torch.testing.assert_close(steps[:, i], net(part))


def test_a_net_has_to_say_what_it_embeds(x: Tensor) -> None:
    with pytest.raises(NotImplementedError):
        Net().embed(x)
