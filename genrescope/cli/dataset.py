"""``genrescope dataset``: fetch, check, build, show"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from genrescope.cli.options import PATH, Group
from genrescope.cli.terminal import echo, printable
from genrescope.features.config import HOP_LENGTH

if TYPE_CHECKING:
    from rich.console import Console

    from genrescope.audio.waveform import Waveform
    from genrescope.data.track import Dataset, Track


@click.group(cls=Group, subcommand_metavar="VERB ...")
def dataset() -> None:
    """Get labelled music, check it, turn it into features, look at it."""


_CLIP_S = 30.0  # of a clip that is drawn
_ROOM_S = 15.0  # five windows of 3 s need this
_PAUSE_S = 10.0  # from one line of progress to the next, where there is no terminal


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
    with _bytes_bar() as report:
        found = known.fetch(to or Path("data") / name, url=url, progress=report)
    echo(f"{found.name}: {len(found.tracks)} clips of {len(known.genres)} genres.")


@dataset.command()
@click.argument("data", type=PATH, metavar="DATA")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Clips at a time; one a processor if absent.",
)
def check(
    data: Path,
    as_json: bool,
    workers: int | None,
) -> None:
    """Say what a data set holds, what is wrong with it, and how it can be split.

    DATA is GTZAN, a folder with one sub-folder of audio for each genre, or a feature store.
    Every clip of a folder is decoded. The exit code is 1 if one does not decode.
    """
    from genrescope.data.check import check_dataset, describe
    from genrescope.data.folder import read_any
    from genrescope.data.store import FeatureStore, is_store

    if is_store(data):
        store = FeatureStore.load(data)
        read = found = store.dataset
    else:
        read = read_any(data)
        with _clips_bar(len(read.tracks), "listening") as report:
            found = check_dataset(read, workers=workers, progress=report)
    if as_json:
        echo(json.dumps(describe(found)))
    else:
        _print_check(found)
        _echo_absent(read.absent)
    bad = {name: reason for name, reason in found.absent.items() if name not in read.absent}
    for name, reason in bad.items():
        echo(f"{printable(name)}: {reason}", err=True)
    if bad:
        raise Exit(1)


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
    help="Samples from frame to frame; if absent, as the shipped model has them.",
)
@click.option(
    "--n-fft",
    type=click.IntRange(min=16),
    default=2048,
    metavar="N",
    help="Length of the Fourier transform.",
)
@click.option(
    "--n-mels",
    type=click.IntRange(min=1),
    default=128,
    metavar="N",
    help="Mel bands.",
)
@click.option(
    "--stft",
    is_flag=True,
    help="Linear STFT instead of mel.",
)
@click.option(
    "--sr",
    type=click.IntRange(min=1000),
    default=22050,
    metavar="HZ",
    help="Sample rate in Hz.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Clips at a time; one a processor if absent.",
)
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
    from genrescope.data.build import build_store
    from genrescope.data.folder import read_any
    from genrescope.features.config import FeatureConfig

    dataset = read_any(data)
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
    with _clips_bar(len(dataset.tracks), "features") as report:
        store = build_store(dataset, out, config=config, workers=workers, progress=report)
    echo(f"{out}: {len(store)} clips of {len(store.genres)} genres.")
    failed = {name: why for name, why in store.absent.items() if name not in dataset.absent}
    for name, why in failed.items():
        echo(f"{printable(name)}: {why}", err=True)
    _echo_absent(dataset.absent)
    if failed:
        raise Exit(1)


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
    help="Of the windows' places.",
)
def show(
    data: Path,
    out: Path,
    seed: int,
) -> None:
    """Draw waveform, STFT and mel of one clip of each genre, and the windows drawn from one.

    DATA is GTZAN, or a folder with one sub-folder of audio for each genre.
    """
    from genrescope.data.folder import read_any
    from genrescope.lab.plots import FORMATS, draw_dataset

    if out.suffix.lower() not in FORMATS:
        raise click.BadParameter(f"{out}: end it in {', '.join(FORMATS)}")
    dataset = read_any(data)
    genres = sorted({track.genre for track in dataset.tracks})
    clips = {}
    with _clips_bar(len(genres), "listening") as report:
        for i, genre in enumerate(genres, 1):
            clip = _one_clip([t for t in dataset.tracks if t.genre == genre])
            if clip is not None:
                clips[genre] = clip
            report(i, len(genres), genre)
    if not clips:
        from genrescope.errors import DatasetError

        raise DatasetError(f"{data}: no clip decodes.")
    figure = draw_dataset(clips, seed=seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=130)
    echo(f"{out}: {len(clips)} genres.")


def _one_clip(tracks: list[Track]) -> Waveform | None:
    """The first clip with room for five windows, else the longest of the first few."""
    from genrescope.audio.decode import decode
    from genrescope.errors import AudioError

    best = None
    for track in tracks[:20]:
        try:
            clip = decode(track.path or "", duration=_CLIP_S)
        except AudioError as error:
            echo(str(error), err=True)
            continue
        if best is None or clip.duration > best.duration:
            best = clip
        if best.duration >= _ROOM_S:
            break
    return best


def _print_check(dataset: Dataset) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from genrescope.data.check import describe

    facts = describe(dataset)
    console = Console(highlight=False)
    table = Table("genre", *("tracks", "artists", "unknown", "minutes"), box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for genre, n in facts["genres"].items():
        tracks = [track for track in dataset.tracks if track.genre == genre]
        artists = {track.artist for track in tracks if track.artist}
        unknown = sum(track.artist is None for track in tracks)
        minutes = sum(track.duration or 0.0 for track in tracks) / 60
        cells = (str(n), str(len(artists)), str(unknown), f"{minutes:.1f}")
        table.add_row(Text(genre), *cells)
    minutes = facts["duration_s"] / 60
    console.print(table)
    console.print(f"\n{facts['tracks']} tracks, {minutes:.0f} minutes, {facts['artists']} artists")
    _print_faults(facts, console)
    _print_splits(facts, console)


def _print_faults(facts: dict[str, Any], console: Console) -> None:
    here = [fault for faults in facts["faults"].values() for fault in faults]
    for kind in sorted({fault.split(":")[0] for fault in here}):
        tracks = [t for t, fs in facts["faults"].items() if any(f.startswith(kind) for f in fs)]
        some = ", ".join(tracks[:6]) + (", ..." if len(tracks) > 6 else "")
        words = {"repeat": "hold the audio of another track"}.get(kind, kind)
        console.print(f"{len(tracks)} {words}: {some}", soft_wrap=True, markup=False)


def _print_splits(facts: dict[str, Any], console: Console) -> None:
    from rich.table import Table

    table = Table(*("split", "folds", "train / valid / test"), "what it is", box=None)
    for name, split in facts["splits"].items():
        folds = split.get("folds", [])
        sizes = " / ".join(str(n) for n in folds[0].values()) if folds else "-"
        table.add_row(name, str(len(folds)), sizes, split.get("impossible", split["summary"]))
    console.print()
    console.print(table)


def _echo_absent(absent: dict[str, str]) -> None:
    """Say on standard error what is not here, by reason, without flooding the terminal."""
    reasons: dict[str, list[str]] = {}
    for name, reason in absent.items():
        reasons.setdefault(reason, []).append(name)
    for reason, names in reasons.items():
        some = ", ".join(map(printable, names[:4])) + (", ..." if len(names) > 4 else "")
        echo(f"{len(names)} absent ({reason}): {some}", err=True)


@contextmanager
def _bytes_bar() -> Iterator[Callable[[str, int, int | None], None]]:
    """A bar in bytes, on standard error; a line now and then where that is no terminal."""
    from rich import progress

    bar = progress.Progress(
        progress.TextColumn("{task.description:8}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
        console=_stderr(),
        disable=not sys.stderr.isatty(),
    )
    tasks: dict[str, progress.TaskID] = {}
    say = _lines()

    def report(what: str, done: int, total: int | None) -> None:
        of = "" if total is None else f" of {total / 1e6:.0f}"
        say(f"{what}: {done / 1e6:.0f}{of} MB")
        if what not in tasks:
            # What an earlier attempt fetched does not count towards the speed.
            tasks[what] = bar.add_task(what, total=total, completed=done)
        bar.update(tasks[what], completed=done, total=total)

    with bar:
        yield report


@contextmanager
def _clips_bar(total: int, what: str) -> Iterator[Callable[[int, int, str], None]]:
    """A bar in clips, on standard error; a line now and then where that is no terminal."""
    from rich import progress

    bar = progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[clip]}", style="dim", markup=False),
        console=_stderr(),
        disable=not sys.stderr.isatty(),
        transient=True,
    )
    with bar:
        task = bar.add_task(what, total=total, clip="")
        say = _lines()

        def report(done: int, total: int, track_id: str) -> None:
            say(f"{what}: {done} of {total}")
            bar.update(task, completed=done, total=total, clip=printable(track_id))

        yield report


def _lines() -> Callable[[str], None]:
    """Says what is going on in a log: not on a terminal, and not more often than it is read."""
    last = time.monotonic()

    def say(text: str) -> None:
        nonlocal last
        if not sys.stderr.isatty() and time.monotonic() - last >= _PAUSE_S:
            echo(text, err=True)
            last = time.monotonic()

    return say


def _stderr() -> Console:
    from rich.console import Console

    return Console(stderr=True)
