"""What heads learn: targets that move with the input, and figures by the definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from genrescope.features.rhythm import BINS_PER_OCTAVE, LOWEST_BPM, MARGIN, N_TEMPI, tempi
from genrescope.lab.heads.tasks import TASKS
from genrescope.model.key import KEYS


class Reading(nn.Module):
    """Takes for the tempo where the tempogram has its peak."""

    def forward(self, tempogram: Tensor, timbre: Tensor) -> Tensor:
        return torch.log(tempogram[:, 0, MARGIN : MARGIN + N_TEMPI] + 1e-6)


class Lengths(nn.Module):
    """Knows no key, and notes how many blocks of chroma it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.n_blocks: set[int] = set()

    def forward(self, chroma: Tensor) -> Tensor:
        self.n_blocks.add(chroma.shape[3])
        return torch.zeros(len(chroma), len(KEYS))


@pytest.mark.parametrize("seed", range(5))
def test_the_target_is_moved_as_far_as_the_tempogram(seed: int) -> None:
    bpm = torch.tensor([80.0, 120.0])
    place = MARGIN + torch.log2(bpm / LOWEST_BPM) * BINS_PER_OCTAVE
    peaks = torch.exp(-0.5 * ((torch.arange(N_TEMPI + 2 * MARGIN) - place[:, None]) / 1.5) ** 2)
    inputs = [peaks[:, None], torch.zeros(2, 1)]
    losses = [
        float(TASKS["tempo"].loss(Reading(), list(inputs), truth, np.random.default_rng(seed)))
        for truth in (bpm, bpm * 1.2)
    ]
    entropy_of_the_target = np.log(1.5 * np.sqrt(2 * np.pi * np.e))
    assert losses[0] == pytest.approx(entropy_of_the_target, rel=0.01)
    assert losses[1] > 10


def test_a_key_is_learned_from_parts_of_half_a_clip_and_more() -> None:
    net, rng = Lengths(), np.random.default_rng(0)
    chroma = torch.rand(4, 5, 12, 10)
    for _ in range(60):
        loss = TASKS["key"].loss(net, [chroma], torch.zeros(4), rng)
        assert float(loss) == pytest.approx(np.log(len(KEYS)), rel=1e-5)
    assert net.n_blocks == set(range(5, 11))


def test_tempi_within_four_percent_are_right_and_so_is_the_one_key() -> None:
    near = TASKS["tempo"].inside(np.array([100.0, 1000.0]))
    assert np.all(np.abs(tempi()[near[0]] - 100) <= 4)
    assert near[0].sum() == np.sum((tempi() >= 96) & (tempi() <= 104))
    assert not near[1].any()
    keys = TASKS["key"].inside(np.array([3.0, 23.0]))
    assert keys.shape == (2, len(KEYS))
    assert [np.flatnonzero(row).tolist() for row in keys] == [[3], [23]]


def test_a_doubled_tempo_is_right_by_accuracy2_alone() -> None:
    probs = np.zeros((2, N_TEMPI))
    probs[0, np.abs(tempi() - 90).argmin()] = 1
    probs[1, np.abs(tempi() - 180).argmin()] = 1
    measured = TASKS["tempo"].measure(np.array([90.0, 90.0]), probs)
    assert {name: points.tolist() for name, points in measured.points.items()} == {
        "accuracy1": [True, False],
        "accuracy2": [True, True],
    }


def test_a_relative_key_is_wrong_and_worth_a_part_of_a_point() -> None:
    probs = np.full((2, len(KEYS)), 0.01)
    probs[0, KEYS.index("C major")] = 0.7
    probs[1, KEYS.index("A minor")] = 0.6
    measured = TASKS["key"].measure(np.full(2, KEYS.index("C major")), probs)
    assert measured.points["correct"].tolist() == [True, False]
    assert measured.points["weighted"].tolist() == [1.0, 0.3]
    assert measured.confidence.tolist() == [0.7, 0.6]
