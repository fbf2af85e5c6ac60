"""``genrescope dataset``: fetch, check, build, show"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from click.exceptions import Exit

from genrescope.cli.options import PATH, Group, clips_at_a_time_option, json_option
from genrescope.cli.progress import bytes_bar, clips_bar
from genrescope.cli.terminal import echo, printable, table
from genrescope.features.config import HOP_LENGTH


@click.group(cls=Group, subcommand_metavar="VERB ...")
def dataset() -> None:
    """Get labelled music, check it, turn it into features, look at it."""


def _known_dataset(ctx: click.Context, param: click.Parameter, name: str) -> str:
    """The name as it is; BadParameter if there is no such dataset. An argument's callback."""
    from genrescope.data.registry import DATASETS

    if name not in DATASETS:
        names = ", ".join(DATASETS)
        raise click.BadParameter(f"there is no dataset {name!r} to fetch; there is {names}")
    return name


@dataset.command()
@click.argument("name", metavar="NAME", callback=_known_dataset)
@click.option("--to", type=PATH, metavar="FOLDER", help="Where it goes; data/NAME if absent.")
@click.option("--url", metavar="URL", help="Another address of the same archive.")
def fetch(
    name: str,
    to: Path | None,
    url: str | None,
) -> None:
    """Download a known dataset: checked, and resumed where it stopped.

    NAME is gtzan; there is no other yet.
    """
    from genrescope.data.registry import DATASETS

    known = DATASETS[name]
    echo(known.licence, err=True)
    with bytes_bar() as report:
        found = known.fetch(to or Path("data") / name, url=url, progress=report)
    echo(f"{found.name}: {len(found.tracks)} clips of {len(known.genres)} genres.")


@dataset.command()
@click.argument("data", type=PATH, metavar="DATA")
@json_option
@clips_at_a_time_option
def check(
    data: Path,
    as_json: bool,
    workers: int | None,
) -> None:
    """Say what a dataset holds, what is wrong with it, and how it can be split.

    DATA is GTZAN, a folder with one sub-folder of audio for each genre, or a feature store.
    Every clip of a folder is decoded. The exit code is 1 if one does not decode.
    """
    from genrescope.data.check import check as check_data
    from genrescope.data.check import describe

    with clips_bar("decoding") as report:
        found = check_data(data, workers=workers, progress=report)
    facts = describe(found)
    if as_json:
        echo(json.dumps(facts))
    else:
        _print_facts(facts)
    failed = {name: why for name, why in found.absent.items() if name in found.failed}
    absent = {name: why for name, why in found.absent.items() if name not in found.failed}
    _end(failed, absent if not as_json else {})


@dataset.command()
@click.argument("data", type=PATH, metavar="DATA")
@click.option(
    "--out",
    type=PATH,
    required=True,
    metavar="FOLDER",
    help="The feature store to make.",
)
@click.option(
    "--hop-length",
    type=click.IntRange(min=1),
    default=HOP_LENGTH,
    metavar="N",
    help="Samples from frame to frame; the default is the shipped model's.",
)
@click.option(
    "--n-fft",
    type=click.IntRange(min=16),
    default=2048,
    metavar="N",
    help="Samples in a frame, and in its Fourier transform.",
)
@click.option(
    "--n-mels",
    type=click.IntRange(min=1),
    default=128,
    metavar="N",
    help="Number of mel bands.",
)
@click.option(
    "--stft",
    is_flag=True,
    help="Compute a linear STFT instead of a mel spectrogram.",
)
@click.option(
    "--sr",
    type=click.IntRange(min=1000),
    default=22050,
    metavar="HZ",
    help="Sample rate in Hz.",
)
@clips_at_a_time_option
def build(
    data: Path,
    out: Path,
    hop_length: int,
    n_fft: int,
    n_mels: int,
    stft: bool,
    sr: int,
    workers: int | None,
) -> None:
    """Compute the features of every clip, in parallel; stopped, it goes on where it was.

    DATA is GTZAN, or a folder with one sub-folder of audio for each genre.

    Called again, it computes what is new or changed. The exit code is 1 if a clip failed.
    """
    from genrescope.data.build import build_from_folder
    from genrescope.features.config import FeatureConfig

    try:
        config = FeatureConfig(
            sr=sr,
            n_fft=n_fft,
            hop_length=hop_length,
            n_mels=None if stft else n_mels,
            kind="stft" if stft else "mel",
        )
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    with clips_bar("features") as report:
        built = build_from_folder(data, out, config=config, workers=workers, progress=report)
    echo(f"{out}: {len(built.store)} clips of {len(built.store.genres)} genres.")
    _end(built.failed, built.absent)


@dataset.command()
@click.argument("data", type=PATH, metavar="DATA")
@click.option(
    "--out",
    type=PATH,
    default=Path("dataset.png"),
    metavar="FILE",
    help="The picture: png, svg or pdf.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    metavar="N",
    help="Seed of the places of the windows.",
)
def show(
    data: Path,
    out: Path,
    seed: int,
) -> None:
    """Draw waveform, STFT and mel of one clip of each genre, and the windows drawn from one.

    DATA is GTZAN, or a folder with one sub-folder of audio for each genre.
    """
    from genrescope.lab.plots import FORMATS, draw_folder

    if out.suffix.lower() not in FORMATS:
        raise click.BadParameter(f"{out}: end it in {', '.join(FORMATS)}")
    with clips_bar("decoding") as report:
        drawn = draw_folder(data, out, seed=seed, progress=report)
    for error in drawn.failed:
        echo(error, err=True)
    echo(f"{out}: {len(drawn.genres)} genres.")


def _print_facts(facts: dict[str, Any]) -> None:
    """What `genrescope.data.check.describe` tells, as tables."""
    rows = [["genre", "tracks", "artists", "unknown", "uncertain", "minutes"]]
    for genre, row in facts["by_genre"].items():
        counts = [row[key] for key in ("tracks", "artists", "unknown_artist", "uncertain")]
        rows.append([genre, *map(str, counts), f"{row['duration_s'] / 60:.1f}"])
    minutes = facts["duration_s"] / 60
    lines = table(rows, right=(1, 2, 3, 4, 5), head=True)
    lines += ["", f"{facts['tracks']} tracks, {minutes:.0f} minutes, {facts['artists']} artists"]
    echo("\n".join([*lines, *_faults(facts["faults"]), "", *_splits(facts["splits"])]))


def _faults(faults: dict[str, list[str]]) -> list[str]:
    lines = []
    for kind in sorted({fault.split(":")[0] for marks in faults.values() for fault in marks}):
        tracks = [t for t, marks in faults.items() if any(f.startswith(kind) for f in marks)]
        words = {"repeat": "hold the audio of another track"}.get(kind, kind)
        lines.append(f"{len(tracks)} {words}: {_first(tracks, 6)}")
    return lines


def _splits(splits: dict[str, dict[str, Any]]) -> list[str]:
    """A table of the splits that are possible, and why others are not."""
    rows = [["split", "folds", "train / valid / test", "what it is"]]
    rows += [
        [name, str(len(split["folds"])), _sizes(split["folds"][0]), split["summary"]]
        for name, split in splits.items()
        if "folds" in split
    ]
    others = [split["impossible"] for split in splits.values() if "impossible" in split]
    return [*table(rows, right=(1,), head=True), *(f"not possible: {why}" for why in others)]


def _sizes(fold: dict[str, int]) -> str:
    return " / ".join(map(str, fold.values()))


def _end(failed: dict[str, str], absent: dict[str, str]) -> None:
    """Say on standard error what failed and what is not there; exit code 1 if anything failed."""
    for name, why in failed.items():
        echo(f"{printable(name)}: {why}", err=True)
    by_reason: dict[str, list[str]] = {}
    for name, why in absent.items():
        by_reason.setdefault(why, []).append(name)
    for why, names in by_reason.items():
        echo(f"{len(names)} absent ({why}): {_first(names, 4)}", err=True)
    if failed:
        raise Exit(1)


def _first(names: list[str], n: int) -> str:
    """The first few names, so that many do not flood the terminal."""
    return ", ".join(map(printable, names[:n])) + (", ..." if len(names) > n else "")
