"""The recurrent net: both directions, mean and maximum over time."""

from __future__ import annotations

import torch

from genrescope.lab.nets.bigru import BiGRU


def test_a_clip_backwards_is_read_by_the_other_direction() -> None:
    net = BiGRU(5, 16, hidden=4, n_layers=1).eval()
    with torch.no_grad():
        for name, weight in net.gru.named_parameters():
            if name.endswith("_reverse"):
                weight.copy_(getattr(net.gru, name.removesuffix("_reverse")))
    x = torch.randn(2, 16, 30, generator=torch.Generator().manual_seed(0))
    there, back = (net.embed(y).reshape(2, 2, 2, 4) for y in (x, x.flip(2)))
    torch.testing.assert_close(there, back.flip(2))
    assert not torch.allclose(there, back)


def test_the_second_half_of_the_embedding_is_the_maximum_over_time() -> None:
    net = BiGRU(5, 16, hidden=4).eval()
    mean, most = net.embed(torch.randn(3, 16, 30)).chunk(2, dim=1)
    assert mean.shape == most.shape == (3, 8)
    assert (most > mean).all()
    mean, most = net.embed(torch.randn(3, 16, 1)).chunk(2, dim=1)  # of one frame both are the same
    torch.testing.assert_close(mean, most)
