"""Training, from music and a recipe to a run's folder: interruptible, and the same for every net.

`train_run` is the whole of it; `Training.run` is the loop, in the order in which it happens.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from genrescope.errors import GenrescopeError
from genrescope.files import atomic_write, exclusive_lock
from genrescope.lab.inference import device, has_bf16, predict
from genrescope.lab.metrics import log_loss
from genrescope.lab.nets.base import Net
from genrescope.lab.run_folder import CHECKPOINT, METRICS, WEIGHTS
from genrescope.lab.training.augment import augment, mix
from genrescope.lab.training.auxiliary import AuxiliaryTasks
from genrescope.lab.training.examples import Examples
from genrescope.lab.training.prepare import (
    Prepared,
    TrainingData,
    choose_recipe,
    choose_split,
    open_training_data,
    prepare,
)
from genrescope.lab.training.recipe import Recipe
from genrescope.lab.training.run import (
    Epoch,
    Run,
    best_of,
    is_finished,
    load_state,
    load_weights,
    read_epochs,
    stopped_early,
    write_epochs,
)
from genrescope.model.inference import Windowing, clip_probabilities

WARM_UP = 0.1
"""Share of the steps in which the learning rate rises."""
BRANCH_WEIGHT = 0.5
"""Of the loss of each branch (`Net.branch_logits`) beside that of the whole net."""
EMA_EVERY = 4
"""Steps from one averaging of the weights to the next; each step would cost more than it gives."""
GRADIENT_NORM = 2.0
"""Longest gradient; longer ones are scaled down."""
N_PROBED = 60
"""Clips that a finished net classifies, to check that it names more than one genre."""


@dataclass(frozen=True)
class Step:
    """Where a training stands, for a progress display; loss and accuracy are of this epoch."""

    epoch: int
    step: int
    n_steps: int
    loss: float
    accuracy: float


class Observer:
    """What `train_run` tells while it works; each method does nothing until it is overridden."""

    def on_feature(self, done: float, total: float | None, track: str) -> None:
        """The features of a clip are computed: so many of so many, and its ID."""

    def on_data(self, data: TrainingData) -> None:
        """The features are there."""

    def on_begin(self, training: Training) -> None:
        """All is prepared; the first step, or the first after a stop, comes next."""

    def on_step(self, step: Step) -> None:
        """A step is done."""


def train_run(
    data: Sequence[Path],
    out: Path,
    *,
    recipe: Path | None = None,
    kind: str = "mel",
    genres: Sequence[str] = (),
    net: str | None = None,
    epochs: int | None = None,
    split: str | None = None,
    split_seed: int = 0,
    fold: int = 0,
    with_valid: bool = True,
    seed: int = 0,
    teachers: Sequence[Path] = (),
    start: Path | None = None,
    resume: bool = False,
    command: str = "",
    observer: Observer | None = None,
) -> Training:
    """Train a net on labelled music; what `genrescope train` does.

    Stopped at any moment, the same call with ``resume`` goes on and ends as if it had never
    stopped.

    Args:
        data: feature stores, or folders of music with one sub-folder for each genre; all of them
            are learned together.
        out: the run's folder; see `genrescope.lab.training.run`.
        recipe, kind, net, epochs: how to train, see `choose_recipe`.
        genres: those to learn, of the music's; all if empty.
        split, split_seed, with_valid: what to hold back, see `choose_split`.
        fold: which round of the split.
        seed: of every random step of the training.
        teachers: runs whose mean probabilities are learned in place of the genres.
        start: a run of the same net to start from.
        resume: whether ``out`` may hold this run already.
        command: what the user typed, kept with the results.
        observer: told of the progress.

    Returns:
        The finished training; ``Run.load(out)`` reads the run back.

    Raises:
        GenrescopeError: see `choose_recipe`, `open_training_data`, `choose_split`, `prepare` and
            `Training.run`.
    """
    observer = observer or Observer()
    how = choose_recipe(recipe, kind=kind, net=net, epochs=epochs)
    teacher_runs = [Run.load(path) for path in teachers]
    start_run = Run.load(start) if start else None
    music = open_training_data(data, kind, out.parent, genres=genres, progress=observer.on_feature)
    observer.on_data(music)
    prepared = prepare(
        music.store,
        choose_split(music.store, split, seed=split_seed, with_valid=with_valid),
        how,
        fold=fold,
        seed=seed,
        out=out,
        resume=resume,
        command=command,
        teachers=teacher_runs,
        start=start_run,
    )
    training = Training(prepared)
    observer.on_begin(training)
    training.run(observer.on_step)
    return training


class Training:
    """A net being trained, with all that is needed to stop and go on.

    It begins where the run in its folder stopped, if that is to be resumed.

    Args:
        prepared: what `prepare` checked and read.

    Raises:
        GenrescopeError: the checkpoint of a stopped run is damaged, or of another version's net.

    Attributes:
        net, average: the net that learns, and the running average of its weights.
        auxiliary: what is learned beside the genre.
        learners: the net and that.
        step, n_steps: steps that are done, and in all.
        history: figures of the epochs that are done.

    The others are those of `Prepared`.
    """

    def __init__(self, prepared: Prepared) -> None:
        self.recipe, self.out, self.seed = prepared.recipe, prepared.out, prepared.seed
        self.train, self.valid = prepared.train, prepared.valid
        self.split, self.fold, self.genres = prepared.split, prepared.fold, prepared.genres
        self.frame_rate, self.background = prepared.frame_rate, prepared.background
        self.device = device()
        self.net = self._placed(prepared.net)
        self.teachers = [self._placed(teacher).eval() for teacher in prepared.teachers]
        self.average = copy.deepcopy(self.net).eval()
        self.auxiliary = self._auxiliary().to(self.device)
        self.learners = nn.ModuleList([self.net, self.auxiliary])
        self.optimizer = _optimizer(self.learners, self.recipe)
        per_epoch = math.ceil(len(self.train) * self.recipe.excerpts / self.recipe.batch_size)
        self.n_steps = per_epoch * self.recipe.epochs
        self.step = 0
        self.history: list[Epoch] = []
        if prepared.resume:
            self._resume()

    def _placed(self, net: Net) -> Net:
        placed: Net = net.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return placed

    @torch.no_grad()
    def _auxiliary(self) -> AuxiliaryTasks:
        clip = self.train.clips[0][:, :1].float().expand(-1, self.train.n_frames)
        _, seen = self.average.embed_by_band(clip[None].to(self.device))
        torch.manual_seed(self.seed)
        return AuxiliaryTasks(self.recipe, self.train.members, seen.shape[1])

    def run(self, progress: Callable[[Step], None] | None = None) -> list[Epoch]:
        """Train to the end, from wherever this training stands; returns all epochs.

        A checkpoint is written after each epoch, so an interruption loses no more than one.

        Raises:
            GenrescopeError: the loss is no finite number any more, or another training writes to
                the same folder.
        """
        with exclusive_lock(self.out) as alone:
            if not alone:
                raise GenrescopeError(
                    f"{self.out}: another training is writing to it; wait for its end, or name "
                    "another folder."
                )
            while not self.finished:
                start = time.perf_counter()
                loss, accuracy = self._epoch(progress)
                self._end_epoch(loss, accuracy, time.perf_counter() - start)
                self.save()
        return self.history

    def _epoch(self, progress: Callable[[Step], None] | None) -> tuple[float, float]:
        """The steps of an epoch; returns the mean loss and accuracy over its excerpts."""
        recipe, number = self.recipe, len(self.history)
        loss_sum, n_right, n_seen = 0.0, 0, 0
        # Seeded by its number, so that a resumed run draws what the uninterrupted one would have.
        rng = Generator().manual_seed(self.seed * 100_003 + number)
        torch.manual_seed(self.seed * 100_003 + number)  # dropout
        self.net.train()
        labels = torch.from_numpy(self.train.labels)
        for x, chosen in self.train.batches(
            excerpts=recipe.excerpts,
            batch_size=recipe.batch_size,
            source_frames=recipe.augment.source_frames(self.train.n_frames),
            rng=rng,
        ):
            y = labels[chosen]
            x, moves = augment(
                x,
                recipe.augment,
                n_frames=self.train.n_frames,
                frame_rate=self.frame_rate,
                rng=rng,
                background=self.background,
            )
            # Side by side, so that all that is known of two excerpts is mixed alike.
            tasks = [self._smoothed(y), *self.auxiliary.targets(chosen, moves)]
            x, mixed = mix(x, torch.cat(tasks, dim=1), recipe.augment, rng=rng)
            x = x.to(self.device)
            widths = [target.shape[1] for target in tasks]
            targets, *others = torch.split(mixed.to(self.device), widths, dim=1)
            if self.teachers:
                targets = self._taught(x)
            for group in self.optimizer.param_groups:
                group["lr"] = recipe.lr * _schedule(self.step / self.n_steps)
            with torch.autocast(self.device.type, torch.bfloat16, has_bf16(self.device)):
                embedding, by_band = self.net.embed_by_band(x)
                logits = self.net.head(embedding)
                of_branches = self.net.branch_logits(embedding)
                loss_of_others = self.auxiliary.loss(by_band, others)
            loss_of_whole = _cross_entropy(logits, targets)
            loss = loss_of_whole + loss_of_others
            for branch_logits in of_branches:
                loss = loss + BRANCH_WEIGHT * _cross_entropy(branch_logits, targets)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.learners.parameters(), GRADIENT_NORM)
            self.optimizer.step()
            self.step += 1
            if self.step % EMA_EVERY == 0 or self.step < EMA_EVERY or not recipe.ema:
                self._average()
            # Without branches and other tasks, so that the curves of all nets mean the same.
            value = float(loss_of_whole.detach())
            if not math.isfinite(value):
                raise GenrescopeError(
                    f"{self.out}: the loss of epoch {number + 1} is {value}: the training has "
                    f"diverged. A lower lr than {recipe.lr:g} may help; the epochs before it are "
                    "kept."
                )
            loss_sum += value * len(y)
            n_right += int((logits.argmax(1).cpu() == y).sum())
            n_seen += len(y)
            if progress is not None:
                mean_loss, accuracy = loss_sum / n_seen, n_right / n_seen
                progress(Step(number, self.step, self.n_steps, mean_loss, accuracy))
        return loss_sum / n_seen, n_right / n_seen

    def _end_epoch(self, loss: float, accuracy: float, seconds: float) -> None:
        """Validate the averaged weights if it is time, and keep them if they are the best so far.

        Args:
            loss, accuracy: of the epoch's training.
            seconds: that it took.
        """
        recipe, number = self.recipe, len(self.history)
        valid_loss = valid_accuracy = math.nan
        due = (number + 1) % recipe.validate_every == 0 or number + 1 == recipe.epochs
        if self.valid is not None and due:
            probs = self._probabilities(self.average, self.valid)
            valid_loss = log_loss(self.valid.labels, probs)
            valid_accuracy = float((probs.argmax(1) == self.valid.labels).mean())
        self.history.append(
            Epoch(number, loss, accuracy, valid_loss, valid_accuracy, round(seconds, 2))
        )
        if self.best == number:
            with atomic_write(self.out / WEIGHTS) as part:
                torch.save(self.average.state_dict(), part)

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or the training stopped early."""
        return is_finished(self.history, self.recipe)

    @property
    def stopped_early(self) -> bool:
        """Whether the recipe's patience ended before its epochs did."""
        return stopped_early(self.history, self.recipe)

    @property
    def best(self) -> int:
        """Epoch with the lowest validation loss so far; the last one without validation."""
        return best_of(self.history)

    def only_answer(self) -> str | None:
        """The genre that the kept net names for every clip, though they are of several; else None.

        Asked are clips of the validation part or, without one, of what was learned.

        Raises:
            GenrescopeError: the kept weights are gone or damaged.
        """
        clips = _spread_over(self.valid or self.train, N_PROBED)
        net = self._placed(Run.load(self.out).net())
        named: set[int] = set(self._probabilities(net, clips).argmax(1).tolist())
        if len(named) > 1 or len(set(clips.labels.tolist())) < 2:
            return None
        return self.genres[named.pop()]

    def save(self) -> None:
        """Write the checkpoint and the table of epochs, each atomically."""
        state = {
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "auxiliary": self.auxiliary.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "history": [asdict(epoch) for epoch in self.history],
        }
        with atomic_write(self.out / CHECKPOINT) as part:
            torch.save(state, part)
        write_epochs(self.out / METRICS, self.history)

    def _resume(self) -> None:
        """Go on from the checkpoint in the run's folder, if there is one.

        A run that was finished stays so without its checkpoint.
        """
        path = self.out / CHECKPOINT
        if not path.exists():
            epochs = read_epochs(self.out / METRICS)
            if is_finished(epochs, self.recipe) and (self.out / WEIGHTS).exists():
                self.history, self.step = epochs, self.n_steps
            return
        state: dict[str, Any] = load_state(path, self.device)
        load_weights(self.net, state["net"], path)
        load_weights(self.average, state["average"], path)
        # Versions without other tasks than the genre kept none.
        load_weights(self.auxiliary, state.get("auxiliary", {}), path)
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        self.history = [Epoch(**epoch) for epoch in state["history"]]

    def _smoothed(self, y: Tensor) -> Tensor:
        """Targets (batch, n_classes) of classes (batch,), some of it spread over all classes."""
        smooth, n_classes = self.recipe.label_smoothing, len(self.genres)
        return nn.functional.one_hot(y, n_classes) * (1 - smooth) + smooth / n_classes

    def _probabilities(self, net: Net, clips: Examples) -> NDArray[np.float64]:
        """Those of clips, (n_clips, n_classes): the mean over windows as long as an excerpt."""
        windowing = Windowing(clips.n_frames, clips.n_frames)
        outputs = predict(net, clips.clips, windowing, bf16=has_bf16(self.device))
        return np.stack([clip_probabilities(output.logits) for output in outputs])

    @torch.no_grad()
    def _taught(self, x: Tensor) -> Tensor:
        """The teachers' mean probabilities, (batch, n_classes)."""
        with torch.autocast(self.device.type, torch.bfloat16, has_bf16(self.device)):
            logits = torch.stack([teacher(x) for teacher in self.teachers])
        return logits.float().softmax(2).mean(0)

    @torch.no_grad()
    def _average(self) -> None:
        """Move the averaged weights towards the net's."""
        decay = self.recipe.ema**EMA_EVERY
        decay = min(decay, (1 + self.step) / (10 + self.step)) if decay else 0.0
        pairs = zip(self.average.state_dict().values(), self.net.state_dict().values(), strict=True)
        for kept, new in pairs:
            if kept.is_floating_point():
                kept.lerp_(new, 1 - decay)
            else:
                kept.copy_(new)


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    return -(targets * logits.float().log_softmax(1)).sum(1).mean()


def _schedule(done: float) -> float:
    """Learning rate over its highest, after a share of all steps: linear warm-up, half a cosine."""
    if done < WARM_UP:
        return max(done / WARM_UP, 1e-3)
    return max(0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP))), 1e-3)


def _optimizer(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW, with weight decay on matrices and kernels alone."""
    decayed = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]
    return torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": recipe.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=recipe.lr,
        betas=(0.9, 0.98),
    )


def _spread_over(clips: Examples, n: int) -> Examples:
    """At most ``n`` of the clips, evenly from the first to the last."""
    at = [i * len(clips) // n for i in range(n)] if len(clips) > n else list(range(len(clips)))
    return replace(
        clips,
        members=tuple(clips.members[i] for i in at),
        clips=tuple(clips.clips[i] for i in at),
        labels=clips.labels[at],
        shares=None,
    )
