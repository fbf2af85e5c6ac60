"""``genrescope evaluate``"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click

from genrescope.cli.options import (
    PATH,
    Number,
    bundle_option,
    json_option,
    several_data_option,
    split_option,
    typed,
    window_option,
)
from genrescope.cli.terminal import echo

PARTS = ("train", "valid", "test")
_NEEDS_MUSIC = "--degrade needs a bundle, and music that can be disturbed; so does --explain"


@click.command()
@several_data_option(
    "DATA",
    "A feature store, or music with one sub-folder for each genre, whose files are decoded and "
    "answered for as classify does. Several stores are measured together.",
)
@bundle_option("What to measure")
@click.option(
    "--run",
    "runs",
    type=PATH,
    multiple=True,
    metavar="RUN",
    help="A run of train instead of a model, measured on its own split. Given several times, the "
    "answers of folds are put together, and runs of the same fold are an ensemble.",
)
@click.option(
    "--last",
    is_flag=True,
    help="Take the last epoch of a run, not the best on its validation part.",
)
@window_option
@split_option("fault-filtered for GTZAN, all for other music.")
@click.option(
    "--part",
    metavar="PART",
    help="train, valid or test. If absent: test, or where the music has no track of it, valid or "
    "train.",
)
@click.option(
    "--fold",
    type=click.IntRange(min=0),
    metavar="N",
    help="Which of the split's folds; 0 if absent.",
)
@click.option(
    "--split-seed",
    type=click.IntRange(min=0),
    metavar="N",
    help="Seed of the split; 0 if absent.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Seed of all else that is random: intervals, excerpts and disturbances.",
)
@click.option(
    "--excerpt",
    type=Number(0.1, 600),
    metavar="SECONDS",
    help="Hear no more than this of each recording, at a place that --seed draws.",
)
@click.option(
    "--degrade",
    "degraded",
    is_flag=True,
    help="Measure robustness: disturb the recordings first, by rooms, microphones, noise, codecs "
    "and more, one after the other. Needs a folder of music, and a model.",
)
@click.option(
    "--explain",
    "explained",
    is_flag=True,
    help="Measure how faithful the explanations of explain are. Needs a folder of music, and a "
    "model.",
)
@click.option(
    "--table",
    type=PATH,
    metavar="FILE",
    help="With --explain: write the figures, each beside its goal, as Markdown.",
)
@json_option
def evaluate(
    data: tuple[Path, ...],
    bundle: Path | None,
    runs: tuple[Path, ...],
    last: bool,
    window: float | None,
    split: str | None,
    part: str | None,
    fold: int | None,
    split_seed: int | None,
    seed: int,
    excerpt: float | None,
    degraded: bool,
    explained: bool,
    table: Path | None,
    as_json: bool,
) -> None:
    """Measure a model on labelled music, and say whether it was trained on that music.

    Prints accuracy, macro precision, recall and F1, each with its 95 % interval (bootstrap over
    tracks), for windows and for whole tracks, the calibration error and the confusion matrix.
    """
    if part is not None and part not in PARTS:
        raise click.BadParameter(f"there is no part {part!r}; there are {', '.join(PARTS)}")
    if runs:
        _check_options_of_runs(bundle, degraded or explained, split, fold, split_seed)
    elif last:
        raise click.BadParameter("--last is of runs; a bundle holds one net")
    elif window is not None:
        raise click.BadParameter("--window is of runs; a bundle has its own")
    if degraded and explained:
        raise click.BadParameter("choose one of --degrade and --explain")
    if excerpt is not None and (degraded or explained):
        raise click.BadParameter("--degrade and --explain take whole recordings, no --excerpt")
    if table is not None and not explained:
        raise click.BadParameter("--table is of --explain")
    from genrescope.lab.run_folder import check_is_run

    for path in runs:
        check_is_run(path)  # before what takes its time to load
    from genrescope.cli import figures
    from genrescope.cli.progress import clips_bar
    from genrescope.files import atomic_write
    from genrescope.lab.evaluation.evaluate import (
        Selection,
        evaluate_bundle,
        evaluate_explanations,
        evaluate_robustness,
        evaluate_runs,
    )
    from genrescope.lab.evaluation.models import Excerpts
    from genrescope.lab.evaluation.music import open_music
    from genrescope.lab.evaluation.report import ExplanationReport
    from genrescope.lab.training.run import Run
    from genrescope.model.bundle import Bundle

    music = open_music(data, excerpts=None if excerpt is None else Excerpts(excerpt, seed))
    if (degraded or explained) and music.store is not None:
        raise click.BadParameter(_NEEDS_MUSIC)
    with clips_bar("judging") as progress:
        report: figures.AnyReport
        if runs:
            report = evaluate_runs(
                [Run.load(path) for path in runs], music, part=part, last=last, window_s=window,
                seed=seed, progress=progress,
            )  # fmt: skip
        else:
            measure: Callable[..., figures.AnyReport] = evaluate_bundle
            if degraded:
                measure = evaluate_robustness
            elif explained:
                measure = evaluate_explanations
            try:
                report = measure(
                    Bundle.load(bundle),
                    music,
                    Selection(split, part, fold or 0, split_seed or 0),
                    seed=seed,
                    progress=progress,
                )
            except ValueError as error:  # the fold: what else may be wrong was looked at above
                raise click.BadParameter(str(error)) from None
    if table is not None and isinstance(report, ExplanationReport):
        with atomic_write(table) as written:
            written.write_text(figures.explanations_table(report, typed()), encoding="utf-8")
    if as_json:
        echo(json.dumps(report.to_dict()))
    else:
        figures.print_report(report)
    figures.warn(report)


def _check_options_of_runs(
    bundle: Path | None,
    needs_music: bool,
    split: str | None,
    fold: int | None,
    split_seed: int | None,
) -> None:
    if bundle is not None:
        raise click.BadParameter("choose one of --bundle and --run")
    if needs_music:
        raise click.BadParameter(_NEEDS_MUSIC)
    for option, value in (("--split", split), ("--fold", fold), ("--split-seed", split_seed)):
        if value is not None:
            raise click.BadParameter(f"a run is measured on its own split; leave {option} out")
