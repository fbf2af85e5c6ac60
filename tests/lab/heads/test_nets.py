from __future__ import annotations

import numpy as np
import torch

from genrescope.features.chroma import BLOCK_FRAMES
from genrescope.features.rhythm import MARGIN, N_CHANNELS, N_TEMPI, N_TIMBRE
from genrescope.lab.heads.nets import N_CHROMA, Averaged, Behind, KeyNet, PitchNet, TempoNet


def test_a_song_in_another_key_is_answered_alike_in_that_key() -> None:
    torch.manual_seed(0)
    net = KeyNet().eval()
    chroma = torch.randn(3, N_CHROMA, 12, 20)
    with torch.inference_mode():
        plain = net(chroma).reshape(3, 2, 12)
        turned = net(chroma.roll(5, dims=2)).reshape(3, 2, 12)
    assert torch.allclose(plain.roll(5, dims=2), turned, atol=1e-5)


def test_a_faster_song_is_answered_alike_but_for_the_liking_of_tempi() -> None:
    torch.manual_seed(0)
    net = TempoNet().eval()
    torch.nn.init.zeros_(net.prior.weight)
    torch.nn.init.zeros_(net.prior.bias)
    picture = torch.randn(2, N_CHANNELS, N_TEMPI + 2 * MARGIN)
    sound = torch.randn(2, N_TIMBRE)
    with torch.inference_mode():
        plain, moved = net(picture, sound), net(picture.roll(10, dims=2), sound)
    assert plain.shape == (2, N_TEMPI)
    inner = slice(30, -30)
    assert torch.allclose(plain[:, inner], moved[:, 10:][:, inner.start : N_TEMPI - 30], atol=1e-4)


def _small_pitch_net() -> PitchNet:
    return PitchNet(16, width=8)


def test_notes_of_any_length_become_blocks() -> None:
    net = _small_pitch_net().eval()
    x = torch.randn(2, 16, 4 * BLOCK_FRAMES + 1)
    with torch.inference_mode():
        logits, told = net.notes(x), net(x)
        assert net(x[..., :1]).shape == (2, N_CHROMA, 12, 1)
    assert logits.shape == (2, 24, x.shape[2])
    assert told.shape == (2, N_CHROMA, 12, 5)
    first = logits.sigmoid()[..., :BLOCK_FRAMES].mean(dim=2).reshape(2, 2, 12)
    torch.testing.assert_close(told[:, :2, :, 0], first)
    torch.testing.assert_close(told[:, 0, :, 4], logits.sigmoid()[:, :12, -1])


def test_a_net_behind_another_answers_what_that_one_hears() -> None:
    front, net = _small_pitch_net().eval(), KeyNet().eval()
    x = torch.randn(3, 16, 30)
    with torch.inference_mode():
        torch.testing.assert_close(Behind(front, net)(x), net(front(x)))


def test_every_parameter_learns() -> None:
    torch.manual_seed(0)
    inputs = {
        TempoNet: (torch.randn(4, N_CHANNELS, N_TEMPI + 2 * MARGIN), torch.randn(4, N_TIMBRE)),
        KeyNet: (torch.randn(4, N_CHROMA, 12, 9),),
        _small_pitch_net: (torch.randn(4, 16, 20),),
    }
    for make, example in inputs.items():
        net = make()
        (net(*example) ** 2).mean().backward()
        assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in net.parameters())


def test_nets_together_answer_their_mean() -> None:
    torch.manual_seed(0)
    nets = [KeyNet().eval(), KeyNet().eval()]
    chroma = torch.randn(2, N_CHROMA, 12, 5)
    with torch.inference_mode():
        mean = (nets[0](chroma).softmax(1) + nets[1](chroma).softmax(1)) / 2
        together = Averaged(nets, temperature=2.0)(chroma)
    assert np.allclose((2 * together).exp(), mean, atol=1e-6)
