"""Augmentation: shapes, seeds, bounds, and that each zero leaves a batch alone."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genrescope.lab.training import augment as aug

RATE = 22_050 / 1708
"""Frames in a second, as the features of training have them."""

OFF = aug.Augment(
    shift_bands=0.0,
    stretch=0.0,
    equaliser=0.0,
    contrast=0.0,
    band_limit=0.0,
    reverb=0.0,
    noise=0.0,
    style=0.0,
    masks=0,
    mixup=0.0,
)


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(st.integers(0, 1000), st.integers(16, 60), st.floats(0, 0.3))
@settings(max_examples=20, deadline=None)
def test_any_length_and_strength_gives_finite_excerpts(
    seed: int, n_frames: int, stretch: float
) -> None:
    config = aug.Augment(stretch=stretch, band_limit=1.0, reverb=1.0, noise=1.0, style=1.0)
    x = torch.randn(3, 128, config.source_frames(n_frames), generator=_rng(seed))

    def augmented() -> torch.Tensor:
        return aug.augment(x, config, n_frames=n_frames, frame_rate=RATE, rng=_rng(seed))[0]

    once = augmented()
    assert once.shape == (3, 128, n_frames)
    assert torch.isfinite(once).all()
    assert torch.equal(once, augmented())


def test_all_off_returns_the_excerpt_itself() -> None:
    x = torch.randn(4, 128, OFF.source_frames(39), generator=_rng())
    same, moves = aug.augment(x, OFF, n_frames=39, frame_rate=RATE, rng=_rng(1))
    assert torch.allclose(same, x, atol=1e-4)
    assert torch.equal(moves.rate, torch.ones(4))
    assert torch.equal(moves.shift, torch.zeros(4))


def test_a_shift_moves_a_band_as_far_as_it_may() -> None:
    x = torch.zeros(200, 128, 20)
    x[:, 60] = 1.0
    moved, moves = aug.warp(x, n_frames=20, shift_bands=4.0, stretch=0.0, rng=_rng())
    peaks = moved.mean(2).argmax(1)
    assert (60 - moves.shift - peaks).abs().max() <= 0.5
    assert peaks.min() < 59
    assert peaks.max() > 61
    assert ((peaks - 60).abs() <= 4).all()


def test_a_stretch_changes_the_distance_of_two_beats() -> None:
    x = torch.full((200, 8, 80), -1.0)
    x[:, :, 20:23] = 1.0
    x[:, :, 50:53] = 1.0
    warped, moves = aug.warp(x, n_frames=60, shift_bands=0.0, stretch=0.2, rng=_rng())
    heard = [torch.nonzero(row > 0.5).flatten() for row in warped[:, 0]]
    gaps = {i: int(on[-1] - on[0]) for i, on in enumerate(heard) if len(on) > 4}
    assert min(gaps.values()) < 30 < max(gaps.values())
    # What is played faster has its beats nearer to each other: from 20 to 52 in the clip.
    assert all(abs(gap - 32 / moves.rate[i]) < 3 for i, gap in gaps.items())


def test_every_cell_of_a_warped_excerpt_is_one_of_the_clip() -> None:
    x = torch.rand(20, 64, 50, generator=_rng())
    warped, _ = aug.warp(x, n_frames=39, shift_bands=4.0, stretch=0.15, rng=_rng(1))
    assert all(torch.isin(new, old).all() for new, old in zip(warped, x, strict=True))
    assert not torch.equal(warped, x[:, :, :39])


def test_noise_raises_what_is_quiet_and_leaves_what_is_loud() -> None:
    x = torch.full((50, 16, 30), -4.0)
    x[:, 4] = 4.0
    noisy = aug.add_noise(x, 1.0, 0.0, rng=_rng())
    assert (noisy >= x - 1e-5).all()
    assert (noisy[:, 4] - 4.0).abs().max() < 0.1
    assert noisy[:, 10].mean() > -3.0


def test_noise_is_chosen_a_whole_excerpt_at_a_time() -> None:
    x = torch.full((400, 16, 30), -4.0)
    changed = (aug.add_noise(x, 0.3, 0.0, rng=_rng()) != x).flatten(1).float().mean(1)
    assert set(changed.round().tolist()) == {0.0, 1.0}
    assert 0.2 < changed.mean() < 0.4


def test_a_band_limit_sinks_both_ends_and_leaves_the_middle() -> None:
    x = torch.zeros(400, 128, 10)
    limited = aug.limit_bands(x, 1.0, rng=_rng())
    assert torch.equal(limited[:, 40:60], x[:, 40:60])
    assert (limited <= 0).all()
    assert (limited[:, 0].mean(1) < -1).float().mean() > 0.5
    assert (limited[:, -1].mean(1) < -1).float().mean() > 0.5
    assert limited.min() >= -3.5


def test_a_tail_decays_as_slowly_as_a_hall_and_as_fast_as_a_small_room() -> None:
    x = torch.full((400, 128, 24), -9.0)
    x[:, :, 5] = 3.0
    wet = aug.reverberate(x, 1.0, frame_rate=RATE, rng=_rng()).mean(1)
    assert torch.allclose(wet[:, :5], torch.tensor(-9.0), atol=0.6)
    assert (wet[:, 5] > 2.9).all()
    dropped = wet[:, 6] - wet[:, 7]
    assert dropped.min() == pytest.approx(aug.FADE_DB / 2.5 / aug.UNIT_DB, rel=0.5)
    assert dropped.max() > 1.0


def test_a_tail_lasts_as_long_whatever_the_frames() -> None:
    """The power that a hall still holds after 0.62 s, with frames of 77.5 and of 23.2 ms."""
    fading = []
    for hop_length, n_frames in ((1708, 8), (512, 27)):
        x = torch.full((2000, 1, 1 + n_frames), -9.0)
        x[:, :, 0] = 3.0
        wet = aug.reverberate(x, 1.0, frame_rate=22_050 / hop_length, rng=_rng())[:, 0]
        tenth = len(wet[0]) // 4
        fading.append(float((wet[:, tenth] - wet[:, 3 * tenth]).mean()))
    assert fading[1] == pytest.approx(fading[0], rel=0.15)


def test_a_style_is_partly_that_of_another_excerpt() -> None:
    x = torch.randn(200, 8, 50, generator=_rng())
    x[:100] += torch.linspace(-2, 2, 8)[:, None]
    styled = aug.mix_styles(x, 1.0, rng=_rng(1))
    slope = styled.mean(2)[:, -1] - styled.mean(2)[:, 0]
    assert (slope[:100] < 1).any()
    assert (slope[100:] > 3).any()
    assert slope.min() > -1
    assert slope.max() < 5
    # What happens within a band stays.
    pairs = zip(x[:, 3], styled[:, 3], strict=True)
    kept = torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in pairs])
    assert kept.min() > 0.99


def test_degraded_excerpts_keep_mean_and_deviation() -> None:
    x = torch.randn(50, 128, OFF.source_frames(39), generator=_rng())
    config = dataclasses.replace(OFF, noise=1.0, loudest_noise=1.0, reverb=1.0, band_limit=1.0)
    changed, _ = aug.augment(x, config, n_frames=39, frame_rate=RATE, rng=_rng())
    assert torch.allclose(changed.mean((1, 2)), x.mean((1, 2)), atol=0.5)
    assert torch.allclose(changed.std((1, 2)), x.std((1, 2)), atol=0.05)


def test_masks_hide_no_more_than_their_share() -> None:
    hidden = (aug.mask(torch.ones(300, 128, 40), 1, rng=_rng()) == 0).float()
    assert hidden.mean() > 0.03
    assert hidden.mean(dim=(1, 2)).max() <= 1 / 8 + 0.15 + 0.05


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_mixing_mixes_labels_as_it_mixes_sound(kind: str) -> None:
    x = torch.eye(4).repeat_interleave(8, 0)[:, :, None].repeat(1, 1, 40)
    y = torch.eye(4).repeat_interleave(8, 0)
    config = aug.Augment(**{"mixup": 0.0, "mixup_alpha": 1.0, kind: 1.0})
    mixed, targets = aug.mix(x, y, config, rng=_rng(2))
    assert torch.allclose(targets.sum(1), torch.ones(32))
    assert torch.allclose(mixed.mean(2), targets, atol=0.02)
    assert not torch.equal(targets, y)


def test_without_mixing_a_batch_stays_as_it_is() -> None:
    x, y = torch.randn(4, 8, 8), torch.eye(4)
    mixed, targets = aug.mix(x, y, OFF, rng=_rng())
    assert mixed is x
    assert targets is y
