"""``genrescope reproduce``"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from genrescope.data.store import FeatureStore
    from genrescope.data.track import Dataset
    from genrescope.lab.reproduction.experiment import Data
    from genrescope.lab.reproduction.plan import Cell
    from genrescope.signal.feature_config import FeatureConfig

_QUICK_TRACKS = 8  # of a genre


def reproduce(
    data: Annotated[
        Path,
        typer.Option(
            metavar="DATA", help="A mel feature store, or music with one sub-folder for each genre."
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Results, runs and report go here.")],
    audio: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="The same music as sound, all or part of it, for waveform and STFT.",
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A small version of everything, in minutes.")
    ] = False,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN", help="Run these cells alone, such as 'windows/*/res-bigru/*'."
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(min=0, metavar="MINUTES", help="Begin no further cell after so long."),
    ] = None,
    effort: Annotated[float, typer.Option(min=0.01, help="Factor of all numbers of epochs.")] = 1.0,
    listing: Annotated[bool, typer.Option("--list", help="Name the cells and stop.")] = False,
) -> None:
    """Run the talk's experiments and those of the field it cites, and write the report.

    Every figure is a cell with a result of its own; stopped at any moment, the same command goes
    on where it was. The report is one HTML page, with a CSV file for each table.
    """
    from genrescope.data.folder import read_any
    from genrescope.data.splits import SPLITS
    from genrescope.data.track import fingerprint
    from genrescope.errors import GenrescopeError
    from genrescope.lab.reproduction import experiment, plan
    from genrescope.lab.reproduction.results import is_done
    from genrescope.signal.feature_config import STORE_CONFIG

    given = _store(data)
    sound = audio is not None or given is None
    every = plan.quick_plan(audio=True) if quick else plan.full_plan(audio=True, effort=effort)
    here = [c for c in every if sound or c.data != "audio"]
    cells = tuple(c for c in here if only is None or fnmatch(c.id, only))
    if not cells:
        raise GenrescopeError(f"no cell is named like {only!r}; --list names them.")
    todo = [c for c in cells if not is_done(out, c)]
    leaky = sorted({c.protocol for c in cells if SPLITS[c.protocol].leaky})
    if leaky:
        typer.echo(f"{', '.join(leaky)}: leaky, {SPLITS[leaky[0]].summary}", err=True)
    if listing:
        for cell in cells:
            typer.echo(cell.id + ("" if cell in todo else "  done"))
        return
    features = STORE_CONFIG if given is None else given.config
    _same_plan(
        out,
        {
            "data": data.resolve().name,
            "tracks": fingerprint(read_any(data).tracks if given is None else given.facts),
            "quick": quick,
            "effort": effort,
            "features": features.to_dict(),
        },
    )
    typer.echo(f"{len(cells)} cells, {len(cells) - len(todo)} of them done", err=True)
    source = _data(data, given, audio, out, quick)
    deadline = time.monotonic() + budget * 60 if budget is not None else None
    stopped = False
    try:
        with _display(len(cells), len(cells) - len(todo)) as (start, progress):
            experiment.run_cells(
                cells,
                source,
                out,
                progress=progress,
                start=start,
                stop=lambda: deadline is not None and time.monotonic() > deadline,
            )
    except KeyboardInterrupt:
        stopped = True
    left = sum(not is_done(out, c) for c in cells)
    _report(out, every, features, quick)
    if left:
        typer.echo(f"{left} of {len(cells)} cells are left; the same command goes on.", err=True)
    if stopped:
        raise typer.Exit(130)


def _same_plan(out: Path, plan: dict[str, Any]) -> None:
    """Keep what a folder is for, so that figures of different plans never meet in one table."""
    from genrescope.errors import GenrescopeError
    from genrescope.signal.feature_config import STORE_CONFIG
    from genrescope.whole import whole

    path = out / "plan.json"
    if path.exists():
        # A folder that an earlier version began does not say all: it is of the usual.
        usual = {"features": STORE_CONFIG.to_dict(), "tracks": plan["tracks"]}
        there = usual | json.loads(path.read_text(encoding="utf-8"))
        changed = {key for key in plan | there if there.get(key) != plan.get(key)}
        if changed == {"tracks"}:
            raise GenrescopeError(
                f"{out}: holds figures of other tracks, genres or artists than {plan['data']} has "
                "now; name another --out."
            )
        if changed:
            raise GenrescopeError(f"{out}: holds another experiment ({there}); name another --out.")
        return
    out.mkdir(parents=True, exist_ok=True)
    with whole(path) as part:
        part.write_text(json.dumps(plan) + "\n", encoding="utf-8")


def _store(data: Path) -> FeatureStore | None:
    """The feature store that ``data`` names; None for a folder of music.

    Raises:
        DatasetError: it cannot be read, or is not of mel spectrograms.
    """
    from genrescope.data.store import FeatureStore, is_store
    from genrescope.errors import DatasetError
    from genrescope.lab.stores import kind_of

    if not is_store(data):
        return None
    store = FeatureStore.load(data)
    if kind_of(store.config) != "mel":
        raise DatasetError(
            f"{data}: holds {kind_of(store.config)}, not mel; name a store that `genrescope "
            "dataset build` made without --stft, or the folder of the music."
        )
    return store


def _data(
    data: Path, given: FeatureStore | None, audio: Path | None, out: Path, quick: bool
) -> Data:
    """Where each input comes from; no music is read before a cell needs it."""
    from functools import partial

    from genrescope.data.folder import read_any
    from genrescope.lab.reproduction.experiment import Data
    from genrescope.lab.stores import few

    def whole() -> FeatureStore:
        store = given
        if store is None:
            store = _made(read_any(data), "mel", out / "features" / "all-mel")
        return few(store, _QUICK_TRACKS) if quick else store

    def sound(kind: str) -> FeatureStore:
        dataset = read_any(audio or data)
        if quick:
            dataset = _longest(dataset)
        return _made(dataset, kind, out / "features" / f"audio-{kind}")

    makers: dict[tuple[str, str], Callable[[], FeatureStore]] = {("all", "mel"): whole}
    makers |= {("audio", kind): partial(sound, kind) for kind in ("raw", "stft", "mel")}
    return Data(makers)


def _made(dataset: Dataset, kind: str, cache: Path) -> FeatureStore:
    from genrescope.cli.dataset import _clips_bar
    from genrescope.lab.stores import make_store

    with _clips_bar(len(dataset.tracks), f"{kind} features") as report:
        return make_store(dataset, kind, cache, progress=report)


def _longest(dataset: Dataset) -> Dataset:
    """A few of the largest files of each genre: those with most sound."""
    from dataclasses import replace

    from genrescope.data.track import Track
    from genrescope.lab.stores import few_tracks

    def size(track: Track) -> int:
        return track.path.stat().st_size if track.path is not None else 0

    chosen = few_tracks(sorted(dataset.tracks, key=size, reverse=True), _QUICK_TRACKS)
    return replace(dataset, tracks=tuple(t for t in dataset.tracks if t.track_id in chosen))


@contextmanager
def _display(
    total: int, done: int
) -> Iterator[tuple[Callable[[Cell], None], Callable[[float, str], None]]]:
    """Two bars, of all cells and of the one that runs; a line for each cell that begins."""
    from rich import progress
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    bar = progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    with bar:
        cells = bar.add_task("all", total=total, completed=done)
        one = bar.add_task("", total=1.0)
        begun = done

        def start(cell: Cell) -> None:
            nonlocal begun
            begun += 1
            console.print(f"{begun}/{total} {cell.id}", soft_wrap=True, markup=False)
            bar.update(cells, completed=begun - 1)
            bar.reset(one, total=1.0, description="begins")

        def report(share: float, text: str) -> None:
            bar.update(one, completed=share, description=text)
            bar.update(cells, completed=begun - 1 + share)

        yield start, report


def _report(out: Path, cells: Iterable[Cell], features: FeatureConfig, quick: bool) -> None:
    """Write the report of what is done of ``cells``, and say what is there of another recipe."""
    from genrescope.lab.reproduction.report import write_report
    from genrescope.lab.reproduction.results import read_results, up_to_date

    found = read_results(out)
    results = up_to_date(found, cells)
    if others := sorted(found.keys() - results.keys()):
        some = ", ".join(others[:4]) + (", ..." if len(others) > 4 else "")
        typer.echo(f"{len(others)} left out of the report (another recipe): {some}", err=True)
    if not results:
        return
    n = dict.fromkeys(("all", "audio"), 0)
    for result in results.values():
        n[result["data"]] = max(n[result["data"]], result.get("n_tracks", 0))
    sound = f" {n['audio']} clips are here as sound." if n["audio"] else ""
    page = write_report(
        out,
        results,
        title="Music genre, reproduced",
        facts={
            "frames": _frames(features.frame_rate, sound=n["audio"] > 0),
            "data": f"Here there are {n['all']} tracks in the feature store.{sound}",
        },
        quick=quick,
    )
    typer.echo(f"{page}: {len(results)} cells; a CSV file for each table lies beside it")


def _frames(rate: float, *, sound: bool) -> str:
    """A sentence on the frames a second of the feature store, and of the clips of sound."""
    from genrescope.lab.stores import CONFIGS

    if not sound:
        return f"Here there are {rate:.1f} a second."
    of_sound = CONFIGS["mel"].frame_rate
    if rate == of_sound:
        return f"Here there are {rate:.1f} a second, for mel and STFT."
    return (
        f"Here there are {rate:.1f} a second in the feature store, and {of_sound:.1f} for mel and "
        "STFT of the clips that are here as sound."
    )
