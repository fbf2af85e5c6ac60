"""The training loop, top to bottom: interruptible at any moment, the same for every net."""

from __future__ import annotations

import copy
import math
import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from genrescope.errors import GenrescopeError
from genrescope.files import atomic_write, exclusive_lock
from genrescope.lab.inference import device, has_bf16, predict
from genrescope.lab.metrics import log_loss
from genrescope.lab.nets.base import Net
from genrescope.lab.training.augment import augment, mix
from genrescope.lab.training.background import Background
from genrescope.lab.training.epochs import (
    Epoch,
    best_of,
    enough,
    read_epochs,
    stopped_early,
    write_epochs,
)
from genrescope.lab.training.examples import Examples
from genrescope.lab.training.recipe import Recipe
from genrescope.model.inference import Windowing, clip_probabilities

CONFIG, METRICS, CHECKPOINT, WEIGHTS = "config.json", "metrics.csv", "checkpoint.pt", "best.pt"
WARM_UP = 0.1
BRANCH_WEIGHT = 0.5
"""Of the loss of each branch (`Net.branch_logits`) beside that of the whole net."""
EMA_EVERY = 4  # steps; averaging each one costs more than it gives


@dataclass(frozen=True)
class Step:
    """Where a training stands, for a progress display; loss and accuracy are of this epoch."""

    epoch: int
    step: int
    n_steps: int
    loss: float
    accuracy: float


def load_state(path: Path, where: torch.device | str = "cpu") -> Any:
    """What `torch.save` wrote: tensors and plain values, nothing that runs.

    Raises:
        GenrescopeError: the file is gone or damaged.
    """
    try:
        return torch.load(path, map_location=where, weights_only=True)
    except OSError as error:
        raise GenrescopeError(f"{path}: cannot be read ({error.strerror}).") from None
    except (RuntimeError, EOFError, ValueError, pickle.UnpicklingError):
        raise GenrescopeError(
            f"{path}: is damaged. Delete {path.parent} and train again."
        ) from None


class Training:
    """A net being trained, with all that is needed to stop and go on.

    Args:
        net: fresh; its initialisation is the caller's, by `torch.manual_seed`.
        recipe: how.
        train: what to learn from.
        valid: what to choose the best epoch on; without it the last epoch is kept.
        n_classes: number of logits.
        out: the run's folder.
        seed: of order, excerpts and augmentation.
        background: what augmentation lays under the music, if the recipe asks for it.
        teachers: nets whose mean answer for each disturbed excerpt is the target, in place of its
            smoothed genre (function matching: Beyer et al. 2022).
    """

    def __init__(
        self,
        net: Net,
        recipe: Recipe,
        train: Examples,
        valid: Examples | None,
        *,
        n_classes: int,
        out: Path,
        seed: int,
        background: Background | None = None,
        teachers: Sequence[Net] = (),
    ) -> None:
        self.recipe, self.train, self.valid, self.out, self.seed = recipe, train, valid, out, seed
        self.background = background
        self.device = device()
        self.net = self._placed(net)
        self.teachers = [self._placed(one).eval() for one in teachers]
        self.average = copy.deepcopy(self.net).eval()
        self.optimizer = _optimizer(self.net, recipe)
        self.n_classes = n_classes
        per_epoch = math.ceil(len(train) * recipe.excerpts / recipe.batch_size)
        self.n_steps = per_epoch * recipe.epochs
        self.step = 0
        self.history: list[Epoch] = []

    def _placed(self, net: Net) -> Net:
        placed: Net = net.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return placed

    def run(self, progress: Callable[[Step], None] | None = None) -> list[Epoch]:
        """Train to the end, from wherever this training stands; returns all epochs.

        A checkpoint is written after each epoch, so an interruption loses no more than one.

        Raises:
            GenrescopeError: the loss is no number any more, or another training writes to the
                same folder.
        """
        with exclusive_lock(self.out) as alone:
            if not alone:
                raise GenrescopeError(
                    f"{self.out}: another training is writing to it; wait for its end, or name "
                    "another folder."
                )
            while not self.finished:
                start = time.perf_counter()
                loss, accuracy = self._epoch(len(self.history), progress)
                self._judge(loss, accuracy, time.perf_counter() - start)
                self.save()
        return self.history

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or none was better for too long."""
        return enough(self.history, self.recipe)

    @property
    def stopped_early(self) -> bool:
        """Whether the recipe's patience is at an end before its epochs are."""
        return stopped_early(self.history, self.recipe)

    @property
    def best(self) -> int:
        """Epoch with the lowest validation loss so far; the last one without validation."""
        return best_of(self.history)

    def _epoch(self, number: int, progress: Callable[[Step], None] | None) -> tuple[float, float]:
        # Seeded by its number, so that a resumed run draws what the whole one would have.
        rng = Generator().manual_seed(self.seed * 100_003 + number)
        torch.manual_seed(self.seed * 100_003 + number)  # dropout
        self.net.train()
        recipe, losses, hits, seen = self.recipe, 0.0, 0, 0
        batches = self.train.batches(
            excerpts=recipe.excerpts,
            batch_size=recipe.batch_size,
            source_frames=recipe.augment.source_frames(self.train.n_frames),
            rng=rng,
        )
        for x, y in batches:
            loss, n_hits = self._step(x, y, rng)
            if not math.isfinite(loss):
                raise GenrescopeError(
                    f"{self.out}: the loss of epoch {number + 1} is {loss}: the training has "
                    f"diverged. A lower lr than {recipe.lr:g} may help; what the epochs before "
                    "came to is kept."
                )
            losses, hits, seen = losses + loss * len(y), hits + n_hits, seen + len(y)
            if progress is not None:
                progress(Step(number, self.step, self.n_steps, losses / seen, hits / seen))
        return losses / seen, hits / seen

    def _step(self, x: Tensor, y: Tensor, rng: Generator) -> tuple[float, int]:
        recipe = self.recipe
        x = augment(
            x,
            recipe.augment,
            n_frames=self.train.n_frames,
            rng=rng,
            background=self.background,
        )
        smooth = recipe.label_smoothing
        targets = nn.functional.one_hot(y, self.n_classes) * (1 - smooth) + smooth / self.n_classes
        x, targets = mix(x, targets, recipe.augment, rng=rng)
        x = x.to(self.device)
        targets = self._taught(x) if self.teachers else targets.to(self.device)
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.lr * _schedule(self.step / self.n_steps)
        with torch.autocast(self.device.type, torch.bfloat16, has_bf16(self.device)):
            embedding = self.net.embed(x)
            logits = self.net.head(embedding)
            of_branches = self.net.branch_logits(embedding)
        loss_of_whole = _cross_entropy(logits, targets)
        loss = loss_of_whole
        for some in of_branches:
            loss = loss + BRANCH_WEIGHT * _cross_entropy(some, targets)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.net.parameters(), 2.0)
        self.optimizer.step()
        self.step += 1
        if self.step % EMA_EVERY == 0 or self.step < EMA_EVERY or not recipe.ema:
            self._average()
        hits = int((logits.argmax(1).cpu() == y).sum())
        return float(loss_of_whole.detach()), hits  # the curves of all nets are of one kind

    @torch.no_grad()
    def _taught(self, x: Tensor) -> Tensor:
        """The teachers' mean answer, (batch, n_classes)."""
        with torch.autocast(self.device.type, torch.bfloat16, has_bf16(self.device)):
            logits = torch.stack([teacher(x) for teacher in self.teachers])
        return logits.float().softmax(2).mean(0)

    @torch.no_grad()
    def _average(self) -> None:
        decay = self.recipe.ema**EMA_EVERY
        decay = min(decay, (1 + self.step) / (10 + self.step)) if decay else 0.0
        pairs = zip(self.average.state_dict().values(), self.net.state_dict().values(), strict=True)
        for kept, new in pairs:
            if kept.is_floating_point():
                kept.lerp_(new, 1 - decay)
            else:
                kept.copy_(new)

    def _judge(self, loss: float, accuracy: float, seconds: float) -> None:
        """Score the averaged weights and keep them when they are the best so far."""
        valid_loss = valid_accuracy = math.nan
        number = len(self.history)
        due = (number + 1) % self.recipe.judge_every == 0 or number + 1 == self.recipe.epochs
        if self.valid is not None and due:
            length = self.valid.n_frames
            outputs = predict(
                self.average,
                self.valid.clips,
                Windowing(length, length),
                bf16=has_bf16(self.device),
            )
            probs = np.stack([clip_probabilities(output.logits) for output in outputs])
            valid_loss = log_loss(self.valid.labels, probs)
            valid_accuracy = float((probs.argmax(1) == self.valid.labels).mean())
        self.history.append(
            Epoch(number, loss, accuracy, valid_loss, valid_accuracy, round(seconds, 2))
        )
        if self.best == number:
            with atomic_write(self.out / WEIGHTS) as part:
                torch.save(self.average.state_dict(), part)

    def save(self) -> None:
        """Write the checkpoint and the table of epochs, each whole or not at all."""
        state = {
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "history": [asdict(epoch) for epoch in self.history],
        }
        with atomic_write(self.out / CHECKPOINT) as part:
            torch.save(state, part)
        write_epochs(self.out / METRICS, self.history)

    def resume(self) -> None:
        """Go on from the checkpoint in the run's folder, if there is one.

        A run that was finished stays so without it.

        Raises:
            GenrescopeError: the checkpoint is damaged.
        """
        path = self.out / CHECKPOINT
        if not path.exists():
            self._recall()
            return
        state = load_state(path, self.device)
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        self.history = [Epoch(**epoch) for epoch in state["history"]]

    def _recall(self) -> None:
        """Take the epochs from their table if they are all and their weights are there."""
        epochs = read_epochs(self.out / METRICS)
        if enough(epochs, self.recipe) and (self.out / WEIGHTS).exists():
            self.history, self.step = epochs, self.n_steps


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    return -(targets * logits.float().log_softmax(1)).sum(1).mean()


def _schedule(done: float) -> float:
    """Learning rate over its highest: linear warm-up, then half a cosine."""
    if done < WARM_UP:
        return max(done / WARM_UP, 1e-3)
    return max(0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP))), 1e-3)


def _optimizer(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    weights = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]
    return torch.optim.AdamW(
        [
            {"params": weights, "weight_decay": recipe.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=recipe.lr,
        betas=(0.9, 0.98),
    )
