"""``genrescope reproduce``"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from genrescope.cli.options import PATH, Number
from genrescope.cli.terminal import echo

if TYPE_CHECKING:
    from genrescope.data.store import FeatureStore
    from genrescope.data.track import Dataset, Track
    from genrescope.features.config import FeatureConfig
    from genrescope.reproduction.experiment import Data
    from genrescope.reproduction.plan import Cell

_QUICK_TRACKS = 6  # of a genre
_QUICK_S = 15.0  # of each: room for five windows


@click.command()
@click.option(
    "--data",
    type=PATH,
    required=True,
    metavar="DATA",
    help="A mel feature store, or music with one sub-folder for each genre.",
)
@click.option(
    "--out",
    type=PATH,
    required=True,
    metavar="FOLDER",
    help="Results, runs and report go here.",
)
@click.option(
    "--audio",
    type=PATH,
    metavar="FOLDER",
    help="The same music as sound, all or part of it, for waveform and STFT.",
)
@click.option(
    "--quick",
    is_flag=True,
    help="A small version of everything, in minutes.",
)
@click.option(
    "--only",
    metavar="PATTERN",
    help="Run these cells alone, such as 'windows/*/res-bigru/*'.",
)
@click.option(
    "--budget",
    type=Number(min=0, max=100000),
    metavar="MINUTES",
    help="Begin no further cell after so long.",
)
@click.option(
    "--effort",
    type=Number(min=0.01, max=100),
    default=1.0,
    metavar="FACTOR",
    help="Factor of all numbers of epochs.",
)
@click.option(
    "--list",
    "listing",
    is_flag=True,
    help="Name the cells and stop.",
)
def reproduce(
    data: Path,
    out: Path,
    audio: Path | None,
    quick: bool,
    only: str | None,
    budget: float | None,
    effort: float,
    listing: bool,
) -> None:
    """Run the talk's experiments and those of the field it cites, and write the report.

    Every figure is a cell with a result of its own; stopped at any moment, the same command goes
    on where it was. The report is one HTML page, with a CSV file for each table.
    """
    from genrescope.data.splits import SPLITS
    from genrescope.data.track import fingerprint
    from genrescope.errors import GenrescopeError
    from genrescope.reproduction import experiment, plan
    from genrescope.reproduction.results import is_done

    given = _given(data, audio)
    every = plan.quick_plan(audio=True) if quick else plan.full_plan(audio=True, effort=effort)
    here = [c for c in every if given.sound is not None or c.data != "audio"]
    cells = tuple(c for c in here if only is None or fnmatch(c.id, only))
    if not cells:
        raise GenrescopeError(f"no cell is named like {only!r}; --list names them.")
    todo = [c for c in cells if not is_done(out, c)]
    for protocol in sorted({c.protocol for c in cells if SPLITS[c.protocol].leaky}):
        echo(f"{protocol}: {SPLITS[protocol].summary}", err=True)
    if listing:
        for cell in cells:
            echo(cell.id + ("" if cell in todo else "  done"))
        return
    _same_plan(
        out,
        {
            "data": data.resolve().name,
            "tracks": fingerprint(given.tracks),
            "quick": quick,
            "effort": effort,
            "features": given.features.to_dict(),
        },
    )
    echo(f"{len(cells)} cells, {len(cells) - len(todo)} of them done", err=True)
    if quick:
        import torch

        torch.set_num_threads(1)  # nets this small lose time to threads
    deadline = time.monotonic() + budget * 60 if budget is not None else None
    ended: Exception | None = None
    try:
        with _display(len(cells), len(cells) - len(todo)) as (start, progress):
            experiment.run_cells(
                cells,
                _data(given, out, quick),
                out,
                progress=progress,
                start=start,
                stop=lambda: deadline is not None and time.monotonic() > deadline,
            )
    except KeyboardInterrupt:
        ended = Exit(130)
    except GenrescopeError as error:
        ended = error
    left = sum(not is_done(out, c) for c in cells)
    _report(out, every, given.features, quick)
    if left:
        echo(f"{left} of {len(cells)} cells are left; the same command goes on.", err=True)
    if ended is not None:
        raise ended


def _same_plan(out: Path, plan: dict[str, Any]) -> None:
    """Keep what a folder is for, so that figures of different plans never meet in one table."""
    from genrescope.errors import GenrescopeError
    from genrescope.features.config import STORE_CONFIG, FeatureConfig
    from genrescope.files import atomic_write

    path = out / "plan.json"
    if path.exists():
        # A folder that an earlier version began does not say all: it is of the usual.
        usual = {"features": STORE_CONFIG.to_dict(), "tracks": plan["tracks"]}
        try:
            there = usual | json.loads(path.read_text(encoding="utf-8"))
            there["features"] = FeatureConfig.from_dict(there["features"]).to_dict()
        except (ValueError, TypeError):
            raise GenrescopeError(f"{path}: is damaged; name another --out.") from None
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
    with atomic_write(path) as part:
        part.write_text(json.dumps(plan) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class _Given:
    """What the user named: features, or music; and sound, where there is any.

    Attributes:
        store: the features, where ``--data`` is a feature store.
        music: the music, where it is not.
        sound: what ``--audio`` names; without it the same music.
    """

    store: FeatureStore | None
    music: Dataset | None
    sound: Dataset | None

    @property
    def tracks(self) -> tuple[Track, ...]:
        """Those of ``--data``."""
        if self.store is not None:
            return self.store.facts
        assert self.music is not None
        return self.music.tracks

    @property
    def features(self) -> FeatureConfig:
        """The front end of ``--data``."""
        from genrescope.features.config import STORE_CONFIG

        return STORE_CONFIG if self.store is None else self.store.config


def _given(data: Path, audio: Path | None) -> _Given:
    """Look at what the user named, before hours of work rest on it.

    Raises:
        DatasetError: it is not there or cannot be read, or is not of mel spectrograms.
    """
    from genrescope.data.folder import read_any
    from genrescope.data.store import FeatureStore, is_store
    from genrescope.errors import DatasetError

    sound = None if audio is None else read_any(audio)
    if not is_store(data):
        music = read_any(data)
        return _Given(None, music, sound or music)
    store = FeatureStore.load(data)
    if store.config.kind != "mel":
        raise DatasetError(
            f"{data}: holds {store.config.kind}, not mel; name a store that `genrescope "
            "dataset build` made without --stft, or the folder of the music."
        )
    return _Given(store, None, sound)


def _data(given: _Given, out: Path, quick: bool) -> Data:
    """Where each input comes from; nothing is heard before a cell needs it."""
    from functools import partial

    from genrescope.lab.stores import few, shortened
    from genrescope.reproduction.experiment import Data

    def whole() -> FeatureStore:
        store = given.store
        if store is None:
            assert given.music is not None
            store = _made(given.music, "mel", out / "features" / "all-mel")
        return shortened(few(store, _QUICK_TRACKS), _QUICK_S) if quick else store

    def sound(kind: str) -> FeatureStore:
        assert given.sound is not None
        dataset = _longest(given.sound) if quick else given.sound
        store = _made(dataset, kind, out / "features" / f"audio-{kind}")
        return shortened(store, _QUICK_S) if quick else store

    makers: dict[tuple[str, str], Callable[[], FeatureStore]] = {("all", "mel"): whole}
    kinds = {"raw": "waveform", "stft": "stft", "mel": "mel"}
    makers |= {("audio", name): partial(sound, kind) for name, kind in kinds.items()}
    return Data(makers)


def _made(dataset: Dataset, kind: str, cache: Path) -> FeatureStore:
    from genrescope.cli.dataset import _clips_bar
    from genrescope.lab.stores import make_store

    with _clips_bar(len(dataset.tracks), f"{kind} features") as report:
        return make_store(dataset, kind, cache, progress=report)


def _longest(dataset: Dataset) -> Dataset:
    """A few of the largest files of each genre: those with most sound."""
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
    from genrescope.reproduction.report import write_report
    from genrescope.reproduction.results import read_results, up_to_date

    found = read_results(out)
    results = up_to_date(found, cells)
    if others := sorted(found.keys() - results.keys()):
        some = ", ".join(others[:4]) + (", ..." if len(others) > 4 else "")
        echo(f"{len(others)} left out of the report (another recipe): {some}", err=True)
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
    echo(f"{page}: {len(results)} cells; a CSV file for each table lies beside it")


def _frames(rate: float, *, sound: bool) -> str:
    """A sentence on the frames a second of the feature store, and of the clips of sound."""
    from genrescope.features.config import CONFIGS

    if not sound:
        return f"Here there are {rate:.1f} a second."
    of_sound = CONFIGS["mel"].frame_rate
    if rate == of_sound:
        return f"Here there are {rate:.1f} a second, for mel and STFT."
    return (
        f"Here there are {rate:.1f} a second in the feature store, and {of_sound:.1f} for mel and "
        "STFT of the clips that are here as sound."
    )
