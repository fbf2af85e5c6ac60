"""The net of pitch classes: learned from made notes alone, before any music is heard.

A chroma that is learned tells more of the key than one that is computed (Korzeniowski and Widmer
2016, "Feature Learning for Chord Recognition: The Deep Chroma Extractor"): where a mel band holds
several notes, their overtones tell which of them sounds.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from genrescope.features.config import FeatureConfig
from genrescope.lab.heads.made_notes import made_clip
from genrescope.lab.heads.nets import PitchNet

N_CLIPS, EPOCHS, BATCH_SIZE, LR, WEIGHT_DECAY = 3500, 8, 4, 2e-3, 0.01


def train_pitch(
    config: FeatureConfig,
    *,
    seed: int,
    n_clips: int = N_CLIPS,
    epochs: int = EPOCHS,
) -> PitchNet:
    """Train a net of pitch classes.

    Args:
        config: the front end that it is to hear through, of kind ``mel``.
        seed: of the notes, and of every random step.
        n_clips: how many clips are made.
        epochs: passes over them.

    Returns:
        The net, in evaluation mode.
    """
    rng = np.random.default_rng(seed)
    clips = [made_clip(config, rng) for _ in range(n_clips)]
    x = torch.from_numpy(np.stack([clip for clip, _ in clips]).astype(np.float16))
    notes = torch.from_numpy(np.stack([told for _, told in clips]))
    torch.manual_seed(seed)
    net = PitchNet(config.n_bins)
    optimiser = torch.optim.AdamW(net.parameters(), LR, weight_decay=WEIGHT_DECAY)
    n_batches = max(1, n_clips // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, LR, total_steps=epochs * n_batches, pct_start=0.1
    )
    for _ in range(epochs):
        for batch in np.array_split(rng.permutation(n_clips), n_batches):
            logits = net.notes(x[batch].float())
            loss = nn.functional.binary_cross_entropy_with_logits(logits, notes[batch])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return net.eval()
