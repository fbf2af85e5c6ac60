"""What ``genrescope evaluate`` prints: figures, and what they are worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from genrescope.cli.terminal import echo, table, write

if TYPE_CHECKING:
    from genrescope.data.splits import Split
    from genrescope.lab.evaluation.report import (
        ExplanationReport,
        Report,
        RobustnessReport,
        Trial,
    )
    from genrescope.lab.evaluation.scoring import Evaluation

    AnyReport = Report | RobustnessReport | ExplanationReport


def absence(split: Split) -> str:
    """What of a split is not here, in words; nothing if all is."""
    if not split.absent:
        return ""
    parts = [f"{n} tracks of its {part} part" for part, n in split.absent_parts.items()]
    what = " and ".join(parts) or f"{len(split.absent)} tracks of this split"
    return f"{split.protocol}: {what} are absent"


def print_report(report: AnyReport) -> None:
    """Print the figures as tables on standard output."""
    from genrescope.lab.evaluation.report import ExplanationReport, RobustnessReport

    if isinstance(report, RobustnessReport):
        _print_robustness(report)
    elif isinstance(report, ExplanationReport):
        _print_explanations(report)
    else:
        _print_evaluation(report)


def warn(report: AnyReport) -> None:
    """Say on standard error why these figures may flatter the model, and what was left out."""
    for trial in report.trials:
        _warn_of(trial)
    for name, reason in report.failed.items():
        echo(f"{name}: {reason}; left out", err=True)


def _warn_of(trial: Trial) -> None:
    name, overlap = trial.model, trial.overlap
    if overlap is None:
        _shout(f"{name} does not say what it was trained on; it may have learned these tracks.")
    elif overlap:
        learned = []
        if overlap.tracks:
            learned.append(f"{len(overlap.tracks)} of these tracks ({_first(overlap.tracks)})")
        if overlap.repeats:
            learned.append(f"{len(overlap.repeats)} more recordings under another ID")
        if overlap.artists:
            learned.append(
                f"other tracks of {len(overlap.artists)} artists ({_first(overlap.artists)})"
            )
        _shout(
            f"{name} was trained on {', and on '.join(learned)}. These figures say how well it "
            "remembers, not how well it does on new music."
        )
    if trial.split.leaky:
        _shout("the windows protocol is leaky: other windows of the same clips were learned.")
    if overlap is not None and overlap.untold:
        echo(
            f"note: of {len(overlap.untold)} tracks it cannot be told whether {name} learned from "
            f"their artists ({_first(overlap.untold)}); artists.csv beside the music can name "
            "them.",
            err=True,
        )
    if overlap is not None and not overlap.tracks and trial.part == "valid":
        echo("note: the epoch, or the temperature, may have been chosen on valid.", err=True)


def _shout(text: str) -> None:
    echo(f"WARNING: {text}", err=True, fg="red", bold=True)


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _print_evaluation(report: Report) -> None:
    """Scores of tracks and windows side by side, and the confusion matrix."""
    evaluation, first = report.evaluation, report.trials[0]
    echo(
        f"{', '.join(trial.model for trial in report.trials)} on {report.title}: "
        f"{evaluation.track.n} tracks, {evaluation.window.n} windows"
    )
    if first.split.absent:
        echo(absence(first.split))
    rows = [["", "track", "window"]]
    for name in ("accuracy", "precision", "recall", "f1"):
        levels = (evaluation.track, evaluation.window)
        rows.append([name, *(str(getattr(level, name)) for level in levels)])
    errors = (evaluation.track.calibration_error, evaluation.window.calibration_error)
    rows.append(["calibration error", *(f"{error:.3f}" for error in errors)])
    _print_table(rows)
    echo()
    _print_confusion(evaluation)


def _print_explanations(report: ExplanationReport) -> None:
    """How faithful explanations are, beside chance and loudness."""
    found = report.faithfulness
    echo(f"{report.trial.model} on {report.title}: {found.n} recordings explained")
    areas = {
        "deletion, lower is truer": (
            found.deletion, found.random_deletion, found.loudest_deletion,
        ),
        "insertion, higher is truer": (
            found.insertion, found.random_insertion, found.loudest_insertion,
        ),
    }  # fmt: skip
    rows = [["area", "explanation", "random order", "loudest first"]]
    rows += [[name, *(f"{value:.3f}" for value in values)] for name, values in areas.items()]
    _print_table(rows, right=(1, 2, 3))
    echo(f"what decided, heard alone, keeps the genre: {found.kept:.0%}")
    echo(f"rank correlation, half a second later: {found.shifted:.2f}")
    echo(f"rank correlation with a net of shuffled weights: {found.shuffled:.2f}")


def explanations_table(report: ExplanationReport, command: str) -> str:
    """The same as a page of Markdown: figures beside their goals, and the command that wrote it."""
    found = report.faithfulness
    rows = [
        ("deletion, lower is truer", found.deletion, found.random_deletion, found.loudest_deletion,
         f"random less .17: {found.random_deletion - 0.17:.3f}",
         found.deletion <= found.random_deletion - 0.17),
        ("insertion, higher is truer", found.insertion, found.random_insertion,
         found.loudest_insertion, f"random and .12: {found.random_insertion + 0.12:.3f}",
         found.insertion >= found.random_insertion + 0.12),
    ]  # fmt: skip
    checks = [
        ("what decided, heard alone, keeps the genre", f"{found.kept:.0%}", "80%",
         found.kept >= 0.8),
        ("rank correlation, half a second later", f"{found.shifted:.2f}", "0.80",
         found.shifted >= 0.8),
        ("rank correlation with a net of shuffled weights", f"{found.shuffled:.2f}", "below 0.30",
         found.shuffled < 0.3),
    ]  # fmt: skip
    lines = [
        "# Explanations",
        "",
        f"How true explanations of `{report.trial.model}` are, on {found.n} recordings of "
        f"{report.title}. What each check is, [explain.md](../explain.md) tells. Written by",
        "",
        f"```\n{command}\n```",
        "",
        "| area | explanation | random order | loudest first | asked for | kept |",
        "|---|---:|---:|---:|---|---|",
        *(f"| {name} | {own:.3f} | {chance:.3f} | {loud:.3f} | {aim} | {_yes(kept)} |"
          for name, own, chance, loud, aim, kept in rows),
        "",
        "| check | found | asked for | kept |",
        "|---|---:|---:|---|",
        *(f"| {name} | {value} | {aim} | {_yes(kept)} |" for name, value, aim, kept in checks),
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def _yes(kept: bool) -> str:
    return "yes" if kept else "no"


def _print_robustness(report: RobustnessReport) -> None:
    """A row for each disturbance, and the median and worst of the drops."""
    from genrescope.model.prediction import DOUBTS

    found = report.rows
    echo(f"{report.trial.model} on {report.title}: {found[0].n} recordings")
    rows = [["", "accuracy", "drop", "turned", "most named", *DOUBTS]]
    for row in found:
        rows.append(
            [
                row.name,
                str(row.accuracy),
                f"{row.drop:+.3f}" if row is not found[0] else "",
                f"{row.turned:.0%}" if row is not found[0] else "",
                f"{row.sink} {row.sink_share:.0%} (truth {row.sink_truth:.0%})",
                *(f"{row.flagged.get(flag, 0):.0%}" for flag in DOUBTS),
            ]
        )
    _print_table(rows, right=(1, 2, 3, *range(5, len(rows[0]))))
    drops = {row.name: row.drop for row in found[1:]}
    worst = max(drops, key=lambda name: drops[name])
    echo(f"median drop {np.median(list(drops.values())):.3f}, worst {drops[worst]:.3f} ({worst})")


def _print_confusion(evaluation: Evaluation) -> None:
    rows = [["truth", *(label[:4] for label in evaluation.labels), "right"]]
    for i, (label, counts) in enumerate(zip(evaluation.labels, evaluation.confusion, strict=True)):
        share = f"{counts[i] / counts.sum():.0%}" if counts.sum() else "-"
        rows.append([label, *(str(n) if n else "." for n in counts), share])
    _print_table(rows, right=tuple(range(1, len(rows[0]))), gap=1)


def _print_table(rows: list[list[str]], *, right: tuple[int, ...] = (), gap: int = 2) -> None:
    for line in table(rows, right=right, gap=gap, head=True):
        write(line)
