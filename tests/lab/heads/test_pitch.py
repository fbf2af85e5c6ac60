"""The net of pitch classes: it learns to name made notes, by a seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genrescope.features.config import STORE_CONFIG
from genrescope.lab.heads.made_notes import made_clip
from genrescope.lab.heads.pitch import train_pitch


@pytest.mark.slow
def test_it_learns_to_name_notes_that_it_has_not_heard() -> None:
    net = train_pitch(STORE_CONFIG, seed=0, n_clips=120, epochs=4)
    rng = np.random.default_rng(100)
    clips = [made_clip(STORE_CONFIG, rng) for _ in range(20)]
    x = torch.from_numpy(np.stack([clip for clip, _ in clips]))
    sounding = np.stack([notes for _, notes in clips])[:, :12] > 0
    with torch.inference_mode():
        logits = net.notes(x)[:, :12].numpy()
    assert logits[sounding].mean() > logits[~sounding].mean() + 1


def test_a_seed_gives_one_net() -> None:
    nets = [train_pitch(STORE_CONFIG, seed=s, n_clips=4, epochs=1) for s in (0, 0, 1)]
    first, again, other = (net.answer.weight for net in nets)
    assert not nets[0].training
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
