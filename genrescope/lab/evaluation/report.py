"""What an evaluation found, and on what: for people to read, and for JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import genrescope
from genrescope.data.splits import Split, protocol_title
from genrescope.lab.evaluation.explanations import Faithfulness
from genrescope.lab.evaluation.models import Excerpts
from genrescope.lab.evaluation.overlap import Overlap
from genrescope.lab.evaluation.scoring import Evaluation, Item
from genrescope.lab.provenance import today
from genrescope.lab.robustness.robustness import Degraded


@dataclass(frozen=True)
class Trial:
    """A model and the part of a split that it is measured on.

    Attributes:
        model: the name of the model.
        labels: its classes.
        split: the split.
        fold: number of the round.
        part: ``train``, ``valid`` or ``test``.
        items: the clips.
        overlap: what the model learned of this music; None where it does not say what it learned.
    """

    model: str
    labels: tuple[str, ...]
    split: Split
    fold: int
    part: str
    items: tuple[Item, ...]
    overlap: Overlap | None


@dataclass(frozen=True)
class Report:
    """What `evaluate_bundle` and `evaluate_runs` found.

    Attributes:
        evaluation: the figures, of all trials together.
        trials: one for a bundle; one for each fold of runs.
        data: where the music lies.
        excerpts: what was heard of each track; None for all of it.
    """

    evaluation: Evaluation
    trials: tuple[Trial, ...]
    data: str
    excerpts: Excerpts | None = None

    @property
    def failed(self) -> Mapping[str, str]:
        """What was left out: a track's ID or a file's name -> the reason."""
        return self.evaluation.failed

    @property
    def title(self) -> str:
        """Protocol, folds and part in words, and what was heard of each track."""
        title = _title(self.trials)
        return f"{title}, excerpts of {self.excerpts.seconds:g} s" if self.excerpts else title

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON: which model on which tracks, when, and the figures."""
        overlaps = [trial.overlap for trial in self.trials if trial.overlap is not None]
        merged = {
            name: sorted({value for overlap in overlaps for value in getattr(overlap, name)})
            for name in ("tracks", "repeats", "artists", "untold")
        }
        return (
            _describe(self.trials)
            | {"data": self.data, "excerpts": asdict(self.excerpts) if self.excerpts else None}
            | self.evaluation.to_dict()
            | {"seen": merged if len(overlaps) == len(self.trials) else None}
        )


class _OfOneTrial:
    """A report on a bundle, which has one trial."""

    trial: Trial

    @property
    def trials(self) -> tuple[Trial, ...]:
        """The trial, as `Report` has them."""
        return (self.trial,)

    @property
    def title(self) -> str:
        """Protocol, fold and part in words."""
        return _title(self.trials)


@dataclass(frozen=True)
class RobustnessReport(_OfOneTrial):
    """What `evaluate_robustness` found.

    Attributes:
        rows: a row for each disturbance, the clean recordings first.
        failed: track ID -> why it was left out of all of them.
        trial: which model on which tracks.
    """

    rows: tuple[Degraded, ...]
    failed: Mapping[str, str]
    trial: Trial

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        rows = [row.to_dict() for row in self.rows]
        return _describe([self.trial]) | {"degradations": rows, "failed": dict(self.failed)}


@dataclass(frozen=True)
class ExplanationReport(_OfOneTrial):
    """What `evaluate_explanations` found.

    Attributes:
        faithfulness: how true the explanations are.
        trial: which model on which tracks.
    """

    faithfulness: Faithfulness
    trial: Trial

    @property
    def failed(self) -> Mapping[str, str]:
        """Nothing: recordings that are too short are passed over, not asked for."""
        return {}

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return _describe([self.trial]) | {"explanations": self.faithfulness.to_dict()}


def _folds(trials: Sequence[Trial]) -> list[int] | int:
    return [trial.fold for trial in trials] if len(trials) > 1 else trials[0].fold


def _title(trials: Sequence[Trial]) -> str:
    first = trials[0]
    return f"{protocol_title(first.split.protocol)}, fold {_folds(trials)}, {first.part}"


def _describe(trials: Sequence[Trial]) -> dict[str, Any]:
    """Which model on which tracks, when and with which version, ready for JSON."""
    first = trials[0]
    return {
        "version": genrescope.__version__,
        "date": today(),
        "model": ", ".join(trial.model for trial in trials),
        "split": {
            "protocol": first.split.protocol,
            "seed": first.split.seed,
            "fold": _folds(trials),
            "part": first.part,
            "leaky": first.split.leaky,
            "absent": len(first.split.absent),
            "absent_parts": first.split.absent_parts,
            "excluded": len(first.split.excluded),
        },
    }
