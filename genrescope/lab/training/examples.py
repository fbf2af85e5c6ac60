"""Clips as a net learns and is validated: standardised, cut into excerpts, with labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from genrescope.data.fold import track_of
from genrescope.data.store import FeatureStore
from genrescope.features.spectrogram import standardise
from genrescope.features.windows import place
from genrescope.model.inference import prepare


@dataclass(frozen=True, eq=False)
class Examples:
    """Members of one part of a fold, ready for a net.

    Attributes:
        members: IDs (n,), of tracks, or of windows under the protocol ``windows``.
        clips: standardised features of each member, float16 (n_bins, n_frames), of a track
            without its silences; a window member holds its own frames alone, so that nothing else
            of its clip is learned.
        labels: int64 (n,).
        n_frames: length of an excerpt.
        shares: how often each member is drawn for training, (n,) summing to 1; None: all alike.
    """

    members: tuple[str, ...]
    clips: tuple[Tensor, ...]
    labels: NDArray[np.int64]
    n_frames: int
    shares: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.members)

    def batches(
        self, *, excerpts: int, batch_size: int, source_frames: int, rng: Generator
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """One epoch in random order: x float32 (batch, n_bins, source_frames), and of which
        members, int64 (batch,).

        Each member is drawn ``excerpts`` times, or so often on average as its share has it.
        A member shorter than ``source_frames`` is repeated; a last batch of one, which
        batch normalisation cannot take, is left out.
        """
        if self.shares is None:
            order = torch.arange(len(self)).repeat(excerpts)
            order = order[torch.randperm(len(order), generator=rng)]
        else:
            shares = torch.from_numpy(self.shares)
            order = torch.multinomial(shares, len(self) * excerpts, True, generator=rng)
        for chosen in torch.split(order, batch_size):
            if len(chosen) < 2:
                continue
            draws = torch.rand(len(chosen), generator=rng).tolist()
            cut = [
                _excerpt(self.clips[i], source_frames, draw)
                for i, draw in zip(chosen.tolist(), draws, strict=True)
            ]
            yield torch.stack(cut).float(), chosen


def _excerpt(clip: Tensor, length: int, draw: float) -> Tensor:
    room = clip.shape[1] - length
    if room < 0:
        clip = clip.repeat(1, -(-length // clip.shape[1]))
        room = 0
    start = int(draw * (room + 1))
    return clip[:, start : start + length]


def draw_shares(
    labels: NDArray[np.int64], certain: NDArray[np.bool_], *, balance: float, doubtful: float
) -> NDArray[np.float64]:
    """How often clips are drawn for training, see `Recipe`.

    Args:
        labels: class of each clip, (n,).
        certain: whether it is to be trusted, (n,).
        balance: from all clips alike, 0, to all classes alike, 1.
        doubtful: weight of a clip whose class is not.

    Returns:
        (n,), summing to 1.
    """
    weights = np.where(certain, 1.0, doubtful)
    of_class = np.bincount(labels, weights)
    # A class of doubtful clips alone, that are not to be drawn, has nothing to share.
    of_class[of_class == 0] = 1.0
    weights = weights * of_class[labels] ** -balance
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def examples(
    store: FeatureStore,
    members: Sequence[str],
    *,
    n_frames: int,
    starts: Mapping[str, float] | None = None,
    labels: Sequence[str] | None = None,
) -> Examples:
    """Read members of a fold from a store.

    Args:
        store: where the features are.
        members: IDs of tracks or windows, as a `Fold` has them.
        n_frames: length of an excerpt.
        starts: `Split.starts`, in s, for window members.
        labels: the classes in the order of the logits, the store's by default.

    Raises:
        DatasetError: a member is not in the store.
    """
    order = {genre: i for i, genre in enumerate(labels or store.genres)}
    genre_of = {track.track_id: track.genre for track in store.facts}
    rate = store.config.frame_rate
    whole: dict[str, Tensor] = {}
    clips = []
    for member in members:
        track = track_of(member)
        if track not in whole:
            x = store.get(track)
            x = standardise(x) if starts else prepare(x, store.config).standardised()
            whole[track] = torch.from_numpy(x.astype(np.float16))
        clip = whole[track]
        if starts and member in starts:
            here = place(clip.shape[1], starts[member], n_frames=n_frames, frame_rate=rate)
            clip = clip[:, here]
        clips.append(clip)
    classes = np.array([order[genre_of[track_of(member)]] for member in members], dtype=np.int64)
    return Examples(tuple(members), tuple(clips), classes, n_frames)
