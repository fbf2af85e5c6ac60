"""Tempo and key, learned beside the genre by the same net (multitask learning: Caruana 1997).

In training alone: a linear layer for each reads what the net makes of an excerpt. What is kept of a
run, evaluated and exported, is the genre's net. Augmentation moves these labels: an excerpt that is
played faster has a faster tempo, and one that is shifted along the mel axis, which is no
transposition, has no key that could be told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from genrescope.data.fold import track_of
from genrescope.data.registry import known_keys, known_tempos
from genrescope.errors import DatasetError
from genrescope.features.rhythm import BINS_PER_OCTAVE, LOWEST_BPM, N_TEMPI
from genrescope.lab.training.augment import Moves
from genrescope.lab.training.recipe import Recipe
from genrescope.model.heads import KEY, TEMPO
from genrescope.model.key import N_KEYS

SPREAD = 4.0
"""Bins, deviation of the target around an annotated tempo: 4 %, as far off as a right one may be.
An excerpt of a few seconds tells it no better."""

_KNOWN: Mapping[str, Callable[[], Mapping[str, float]]] = {TEMPO: known_tempos, KEY: known_keys}
_N_CLASSES = {TEMPO: N_TEMPI, KEY: N_KEYS}


def annotated(recipe: Recipe, members: Sequence[str]) -> dict[str, Tensor]:
    """What is known of clips, of each task that a recipe has beside the genre.

    Args:
        recipe: whose `tempo` and `key` weigh the tasks.
        members: IDs of the clips, of tracks or windows.

    Returns:
        By task, bpm or place in `genrescope.model.key.KEYS`: float32 (n,), NaN where unknown.

    Raises:
        DatasetError: a task of which nothing is known.
    """
    found = {}
    for task, weight in ((TEMPO, recipe.tempo), (KEY, recipe.key)):
        if not weight:
            continue
        known = _KNOWN[task]()
        found[task] = torch.tensor([known.get(track_of(m), float("nan")) for m in members])
        if found[task].isnan().all():
            raise DatasetError(
                f"recipe: {task} is to be learned, and of no track that is learned it is known; "
                f"set {task} to 0."
            )
    return found


def tempo_targets(bpm: Tensor, moves: Moves) -> Tensor:
    """Probabilities of the tempi to learn, (batch, N_TEMPI); rows of 0 where none is known.

    Args:
        bpm: of the tracks (batch,), NaN where unknown.
        moves: how much faster the excerpts are.
    """
    place = torch.log2(bpm * moves.rate / LOWEST_BPM) * BINS_PER_OCTAVE
    known = (place >= 0) & (place < N_TEMPI)
    near = torch.exp(-0.5 * ((torch.arange(N_TEMPI) - place[:, None]) / SPREAD) ** 2)
    near = torch.where(known[:, None], near, 0.0)
    return near / near.sum(dim=1, keepdim=True).clamp_min(1e-9)


def key_targets(key: Tensor, moves: Moves) -> Tensor:
    """Probabilities of the keys to learn, (batch, N_KEYS); rows of 0 where none is known.

    Args:
        key: of the tracks (batch,), NaN where unknown.
        moves: an excerpt that is shifted by a band or more has no key.
    """
    known = ~key.isnan() & (moves.shift.abs() < 0.5)
    hot = nn.functional.one_hot(key.nan_to_num().long(), N_KEYS).float()
    return torch.where(known[:, None], hot, 0.0)


_TARGETS: Mapping[str, Callable[[Tensor, Moves], Tensor]] = {
    TEMPO: tempo_targets,
    KEY: key_targets,
}


class AuxiliaryTasks(nn.Module):
    """The tasks that a recipe has beside the genre; without any, it does nothing.

    Args:
        recipe: whose `tempo` and `key` weigh them.
        members: IDs of the clips that are learned.
        n_seen: numbers that the layers read, see `Net.embed_by_band`.

    Raises:
        DatasetError: see `annotated`.
    """

    def __init__(self, recipe: Recipe, members: Sequence[str], n_seen: int) -> None:
        super().__init__()
        self.truths = annotated(recipe, members)
        self.weights = {TEMPO: recipe.tempo, KEY: recipe.key}
        self.layers = nn.ModuleDict(
            {task: nn.Linear(n_seen, _N_CLASSES[task]) for task in self.truths}
        )

    def targets(self, chosen: Tensor, moves: Moves) -> list[Tensor]:
        """Of each task (batch, n_classes), rows summing to 1, or to 0 where nothing is known.

        Args:
            chosen: places of the excerpts' clips among the members, (batch,).
            moves: of the excerpts.
        """
        return [_TARGETS[task](truth[chosen], moves) for task, truth in self.truths.items()]

    def loss(self, seen: Tensor, targets: Sequence[Tensor]) -> Tensor:
        """The weighted sum of the tasks' losses, each the mean over what is known.

        Args:
            seen: what the net makes of the excerpts, (batch, n_seen).
            targets: as `targets` gives them, or mixed with each other.
        """
        total = torch.zeros((), device=seen.device)
        for (task, layer), target in zip(self.layers.items(), targets, strict=True):
            loss = -(target * layer(seen).float().log_softmax(1)).sum()
            total = total + self.weights[task] * loss / target.sum().clamp_min(1.0)
        return total
