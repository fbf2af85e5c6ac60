"""What ``genrescope train`` shows: what is learned, each epoch, and what came of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from click.exceptions import Exit

from genrescope.cli.figures import absence
from genrescope.cli.progress import bar, clips_bar, duration
from genrescope.cli.terminal import echo
from genrescope.data.splits import SPLITS, protocol_title
from genrescope.lab.training.prepare import TrainingData
from genrescope.lab.training.run import Epoch
from genrescope.lab.training.train import Observer, Step, Training
from genrescope.progress import Progress


class TrainDisplay(Observer):
    """Bars on a terminal, and a line for each epoch anywhere; both on standard error.

    A context manager: leaving it removes the bars, and answers a Ctrl-C with how to go on.
    """

    def __init__(self) -> None:
        self._bars = ExitStack()
        self._show_feature: Progress | None = None
        self._show_step: Callable[[Step], None] | None = None
        self._data: TrainingData | None = None
        self._training: Training | None = None
        self._n_shown = 0
        self._began, self._first_step = 0.0, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.close()
        if kind is KeyboardInterrupt and self._training is not None:
            done, epochs = len(self._training.history), self._training.recipe.epochs
            _note(
                f"\nStopped; {done} of {epochs} epochs are kept. The same command with --resume "
                "goes on."
            )
            raise Exit(130) from None

    def on_feature(self, done: float, total: float | None, track: str) -> None:
        """Move the bar of the clips."""
        if self._show_feature is None:
            self._show_feature = self._bars.enter_context(clips_bar("features"))
        self._show_feature(done, total, track)

    def on_data(self, data: TrainingData) -> None:
        """Name what is left out."""
        self._bars.close()
        self._data = data
        for name, reason in data.left_out.items():
            _note(f"{name}: {reason}; left out")

    def on_begin(self, training: Training) -> None:
        """Say what is learned, and begin the bar of the steps."""
        self._training, self._n_shown = training, len(training.history)
        self._began, self._first_step = time.monotonic(), training.step
        _announce(training)
        shown = self._bars.enter_context(bar(total=training.n_steps, first=training.step))

        def show(step: Step) -> None:
            text = (
                f"epoch {step.epoch + 1}/{training.recipe.epochs}  loss {step.loss:.3f}  "
                f"accuracy {step.accuracy:.3f}"
            )
            shown.update(step.step, total=step.n_steps, note=text)

        self._show_step = show

    def on_step(self, step: Step) -> None:
        """Move the bar of the steps, after a line for an epoch that ended before."""
        self._print_epochs()
        if self._show_step is not None:
            self._show_step(step)

    def show_result(self, training: Training) -> None:
        """Say which epoch is kept, and warn of a net that tells no genres apart."""
        self._print_epochs()
        self._bars.close()
        recipe = training.recipe
        if training.stopped_early:
            _note(f"stopped early: no lower validation loss in {recipe.patience} validations")
        best = training.history[training.best]
        echo(f"{training.out}: {_figures(best, recipe.epochs)}, the epoch that is kept")
        for cache in self._data.caches if self._data is not None else ():
            echo(f"{cache}: the features, for `genrescope evaluate` and `export`")
        genre = training.only_answer()
        if genre is not None:
            text = (
                f"WARNING: this net names {genre} for every clip. A recipe with more epochs or "
                f"excerpts learns in more steps than these {training.n_steps}, and a lower ema "
                f"than {recipe.ema:g} keeps weights nearer to the last ones."
            )
            echo(text, err=True, fg="red", bold=True)

    def _print_epochs(self) -> None:
        training = self._training
        if training is None:
            return
        for epoch in training.history[self._n_shown :]:
            left = ""
            if self._first_step < training.step < training.n_steps:
                speed = (training.step - self._first_step) / (time.monotonic() - self._began)
                left = f"  {duration((training.n_steps - training.step) / speed)} left"
            _note(_figures(epoch, training.recipe.epochs) + left)
        self._n_shown = len(training.history)


def _announce(training: Training) -> None:
    recipe, split, fold = training.recipe, training.split, training.split.folds[training.fold]
    chooser = "the last epoch is kept"
    if training.valid is not None:
        chooser = f"{len(training.valid)} to choose the epoch by"
    weights = sum(p.numel() for p in training.net.parameters()) / 1e6
    _note(
        f"{recipe.net}, {weights:.2f} M weights, on {training.device}; "
        f"{protocol_title(split.protocol)}: {len(training.train)} to learn, {chooser}, "
        f"{len(training.genres)} genres"
    )
    if training.teachers:
        _note(f"taught by {len(training.teachers)} runs, not by the genres")
    if split.leaky:
        _note("windows is leaky: clips are on both sides, and figures flatter.")
    if split.absent:
        _note(absence(split))
    if split.excluded:
        track, reason = next(iter(split.excluded.items()))
        _note(
            f"{split.protocol}: {len(split.excluded)} tracks are used by no part, such as "
            f"{track}: {reason}"
        )
    if SPLITS[split.protocol].holds_back and not (fold.valid or fold.test):
        _note("nothing is held back: no track is left to evaluate this run on")
    if training.history:
        _note(f"going on after epoch {len(training.history)}")


def _note(text: str) -> None:
    echo(text, err=True)


def _figures(epoch: Epoch, epochs: int) -> str:
    text = (
        f"epoch {epoch.epoch + 1}/{epochs}  loss {epoch.train_loss:.3f}  "
        f"accuracy {epoch.train_accuracy:.3f}"
    )
    if math.isnan(epoch.valid_loss):
        return text
    return f"{text}  validation loss {epoch.valid_loss:.3f}  accuracy {epoch.valid_accuracy:.3f}"
