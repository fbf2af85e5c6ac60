"""The compact net: its steps, and how much of a colour it takes in."""

from __future__ import annotations

import pytest
import torch
from net_makers import N_CLASSES, random_input, small_net

from genrescope.lab.nets import NETS


@pytest.mark.slow
def test_a_step_of_compact_hears_its_own_stretch() -> None:
    torch.manual_seed(0)
    net = NETS["compact"](N_CLASSES, 32, width=8, band_share=0.0).eval()
    x = random_input("compact", factor=8.0)
    changed = x.clone()
    changed[:, :, -x.shape[2] // 4 :] += 1  # farther from the first half than a net's kernels reach
    _, _, before = net.serve(x, 2)
    _, _, after = net.serve(changed, 2)
    torch.testing.assert_close(after[:, 0], before[:, 0], atol=0, rtol=0)
    assert (after[:, 1] != before[:, 1]).any(dim=1).all()


@pytest.mark.parametrize("n_steps", [2, 3, 5])
def test_steps_of_compact_are_parts_of_the_whole(n_steps: int) -> None:
    net = small_net("compact").eval()
    whole, steps = net.embed_steps(random_input("compact", factor=4.4), n_steps)
    n_mean = whole.shape[1] // 2
    torch.testing.assert_close(steps[..., n_mean:].amax(1), whole[:, n_mean:])
    assert (steps[..., :n_mean].amax(1) >= whole[:, :n_mean] - 1e-6).all()
    assert (steps[..., :n_mean].amin(1) <= whole[:, :n_mean] + 1e-6).all()


def test_compact_tells_where_in_the_bands_a_sound_lies() -> None:
    net = NETS["compact"](N_CLASSES, 64, width=4).eval()
    x = torch.randn(2, 64, 24, generator=torch.Generator().manual_seed(1))
    embedding, by_band = net.embed_by_band(x)
    torch.testing.assert_close(embedding, net.embed(x))
    means = by_band.shape[1] // 2
    channels = embedding.shape[1] // 2
    of_bands = by_band[:, :means].reshape(len(x), channels, -1)
    torch.testing.assert_close(of_bands.mean(2), embedding[:, :channels])
    assert of_bands.shape[2] > 1


def test_compact_hears_as_much_of_a_bands_colour_as_it_is_told() -> None:
    x = torch.randn(2, 64, 39, generator=torch.Generator().manual_seed(1))
    coloured = x + torch.linspace(-1, 1, 64)[:, None]
    torch.manual_seed(0)
    deaf = NETS["compact"](N_CLASSES, 64, width=8, band_share=1.0).eval()
    torch.manual_seed(0)
    hearing = NETS["compact"](N_CLASSES, 64, width=8, band_share=0.0).eval()
    assert torch.allclose(deaf(x), deaf(coloured), atol=1e-6)
    assert not torch.allclose(hearing(x), hearing(coloured), atol=1e-4)
