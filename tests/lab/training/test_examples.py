"""What a training draws from: clips without silences, windows, and how often each is drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lab_makers import SMALL_CNN as RECIPE
from lab_makers import begin, begin_training

from genrescope.data.splits import make_split
from genrescope.data.store import FeatureStore
from genrescope.lab.training.examples import draw_shares, examples


@pytest.mark.slow
def test_windows_are_learned_without_the_rest_of_their_clip(
    store: FeatureStore, tmp_path: Path
) -> None:
    split = make_split("windows", store.facts, seed=0, n_folds=3)
    recipe = replace(RECIPE, window_s=3.0, epochs=1)
    training = begin(store, split, recipe, fold=0, seed=0, out=tmp_path / "w")
    assert {clip.shape[1] for clip in training.train.clips} == {training.train.n_frames}
    training.run()


def test_silences_are_neither_learned_nor_judged(store: FeatureStore) -> None:
    clips = [np.array(clip) for clip in store._clips]
    clips[0][:25] = clips[0].max() - 90
    silent_start = replace(store, _clips=tuple(clips))
    members, n_frames = store.tracks[:2], len(clips[0])
    learned = examples(silent_start, members, n_frames=19)
    assert [clip.shape[1] for clip in learned.clips] == [n_frames - 25, n_frames]
    assert abs(float(learned.clips[0].float().mean())) < 0.01
    starts = dict.fromkeys(members, 0.0)
    assert {
        c.shape[1] for c in examples(silent_start, members, n_frames=19, starts=starts).clips
    } == {19}


def test_genres_are_balanced_and_doubtful_clips_drawn_less() -> None:
    labels = np.array([0] * 8 + [1] * 2)
    certain = np.array([False] * 4 + [True] * 6)

    def drawn(balance: float, doubtful: float) -> list[float]:
        shares = draw_shares(labels, certain, balance=balance, doubtful=doubtful)
        assert shares.sum() == pytest.approx(1)
        return [float(shares[labels == label].sum()) for label in (0, 1)]

    assert drawn(0, 1) == pytest.approx([0.8, 0.2])
    assert drawn(1, 1) == pytest.approx([0.5, 0.5])
    assert drawn(0.5, 1) == pytest.approx([2 / 3, 1 / 3])  # roots of 8 and 2
    assert drawn(1, 0.5) == pytest.approx([0.5, 0.5])
    shares = draw_shares(labels, certain, balance=0, doubtful=0.5)
    assert shares[4] == pytest.approx(2 * shares[0])
    # A class of doubtful clips alone, which are not to be drawn, is no division by zero.
    assert draw_shares(labels, labels == 0, balance=1, doubtful=0)[8:].tolist() == [0, 0]


@pytest.mark.slow
def test_a_training_draws_clips_by_their_shares(store: FeatureStore, tmp_path: Path) -> None:
    doubtful = {track.track_id for track in store.facts[:18]}
    facts = tuple(replace(t, certain=t.track_id not in doubtful) for t in store.facts)
    recipe = replace(RECIPE, doubtful=0.0, epochs=1, excerpts=1)
    training = begin_training(replace(store, facts=facts), tmp_path / "run", recipe)
    examples = training.train
    learned = np.array([member not in doubtful for member in examples.members])
    assert examples.shares is not None
    assert (examples.shares > 0).tolist() == learned.tolist()
    batches = list(
        examples.batches(
            excerpts=4,
            batch_size=16,
            source_frames=examples.clips[0].shape[1],
            rng=torch.Generator().manual_seed(0),
        )
    )
    seen = torch.cat([x[:, :, 0] for x, _ in batches])
    beginnings = torch.stack([clip[:, 0].float() for clip in examples.clips])
    which = torch.cdist(seen, beginnings).argmin(1)
    assert learned[which].all()
    assert torch.equal(which, torch.cat([chosen for _, chosen in batches]))
    training.run()
