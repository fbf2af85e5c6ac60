"""What the epochs of a training came to, and whether there are enough of them."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from genrescope.errors import GenrescopeError
from genrescope.files import atomic_write
from genrescope.lab.training.recipe import Recipe


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to; validation figures are NaN where there is no validation part."""

    epoch: int
    train_loss: float
    train_accuracy: float
    valid_loss: float
    valid_accuracy: float
    seconds: float


def best_of(epochs: Sequence[Epoch]) -> int:
    """Index of the lowest validation loss; of the last one where none was validated."""
    losses = [epoch.valid_loss for epoch in epochs]
    return int(np.nanargmin(losses)) if not np.isnan(losses).all() else len(losses) - 1


def stopped_early(epochs: Sequence[Epoch], recipe: Recipe) -> bool:
    """Whether the recipe's patience is at an end before its epochs are."""
    if not recipe.patience or not 0 < len(epochs) < recipe.epochs:
        return False
    judged = sum(not math.isnan(epoch.valid_loss) for epoch in epochs[best_of(epochs) + 1 :])
    return judged >= recipe.patience


def enough(epochs: Sequence[Epoch], recipe: Recipe) -> bool:
    """Whether all epochs are done, or none was better for too long."""
    return len(epochs) >= recipe.epochs or stopped_early(epochs, recipe)


def write_epochs(path: Path, epochs: Sequence[Epoch]) -> None:
    """A CSV file with a line for each epoch, whole or not at all."""
    with atomic_write(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(Epoch)])
        writer.writeheader()
        writer.writerows(asdict(epoch) for epoch in epochs)


def read_epochs(path: Path) -> list[Epoch]:
    """What `write_epochs` wrote; none where there is no file.

    Raises:
        GenrescopeError: the file is damaged.
    """
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [
                Epoch(int(row.pop("epoch")), **{key: float(value) for key, value in row.items()})
                for row in csv.DictReader(file)
            ]
    except (ValueError, TypeError, KeyError, csv.Error):
        raise GenrescopeError(
            f"{path}: is damaged. Delete {path.parent} and train again."
        ) from None
