"""The talk's experiments from Python: choose the cells, run what is left of them, report.

>>> experiment = Experiment.open("gtzan-store", "results", quick=True)
>>> experiment.run()
>>> print(experiment.report().page)
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import torch

from genrescope.data.splits import SPLITS
from genrescope.data.track import fingerprint
from genrescope.errors import GenrescopeError
from genrescope.features.config import CONFIGS, STORE_CONFIG, FeatureConfig
from genrescope.files import atomic_write, exclusive_lock
from genrescope.reproduction.cells import run_cells
from genrescope.reproduction.material import Material, open_material
from genrescope.reproduction.plan import Cell, full_plan, quick_plan
from genrescope.reproduction.report import write_report
from genrescope.reproduction.results import is_done, read_results, up_to_date

_PLAN = "plan.json"


class Observer:
    """What a run tells while it goes on; a caller overrides the methods that it needs."""

    def clip(self, done: float, total: float | None, kind: str) -> None:
        """So many clips of an input (``waveform``, ``stft`` or ``mel``) are computed."""

    def begin(self, cell: Cell) -> None:
        """A cell begins."""

    def share(self, share: float, total: float | None, text: str) -> None:
        """So much, 0 to 1, of the cell is done; the text says in few words where it is."""


@dataclass(frozen=True)
class Report:
    """What `Experiment.report` wrote.

    Attributes:
        page: the HTML page; None where no cell is done yet.
        n_cells: how many results it tells of.
        outdated: results that were left out, since they are of another recipe, by cell.
    """

    page: Path | None
    n_cells: int
    outdated: tuple[str, ...]


@dataclass(frozen=True)
class Experiment:
    """A plan, the music for it, and the folder where its results are; see `open`.

    Attributes:
        name: of the music, as its folder or file is called.
        material: the music.
        out: folder of results, runs and report.
        plan: every cell that this music allows.
        cells: those that were asked for.
        quick: whether all is small, to show that it runs.
        effort: factor of all numbers of epochs.
    """

    name: str
    material: Material
    out: Path
    plan: tuple[Cell, ...]
    cells: tuple[Cell, ...]
    quick: bool
    effort: float

    @classmethod
    def open(
        cls,
        data: str | os.PathLike[str],
        out: str | os.PathLike[str],
        *,
        audio: str | os.PathLike[str] | None = None,
        only: str | None = None,
        quick: bool = False,
        effort: float = 1.0,
    ) -> Experiment:
        """Look at the music and choose the cells; nothing is written or computed.

        Args:
            data: a mel feature store, or music with one sub-folder for each genre.
            out: folder of results, runs and report.
            audio: the same music as sound, all or a part of it, for waveform and STFT.
            only: pattern of the cells' IDs, such as ``windows/*/res-bigru/*``; all without it.
            quick: a small version of everything, in minutes.
            effort: factor of all numbers of epochs; not of a quick plan's.

        Raises:
            DatasetError: the music is not there, cannot be read, or is not of mel spectrograms.
            GenrescopeError: no cell is named so.
        """
        material = open_material(Path(data), None if audio is None else Path(audio))
        sound = material.sound is not None
        plan = quick_plan(audio=sound) if quick else full_plan(audio=sound, effort=effort)
        cells = tuple(cell for cell in plan if only is None or fnmatch(cell.id, only))
        if not cells:
            raise GenrescopeError(f"no cell is named like {only!r}; --list names them.")
        name = Path(data).resolve().name
        return cls(name, material, Path(out), plan, cells, quick, effort)

    def left(self) -> tuple[Cell, ...]:
        """The cells that are still to be run."""
        return tuple(cell for cell in self.cells if not is_done(self.out, cell))

    def leaky(self) -> tuple[str, ...]:
        """The leaky protocols among those of its cells, by name."""
        return tuple(sorted({c.protocol for c in self.cells if SPLITS[c.protocol].leaky}))

    def run(self, *, budget_s: float | None = None, observer: Observer | None = None) -> None:
        """Run the cells that are left; each result is written as soon as it is there.

        Args:
            budget_s: begin no further cell after so many seconds.
            observer: is told how it goes on.

        Raises:
            GenrescopeError: the folder holds figures of another plan or of other music, another
                run is writing to it, or a cell fails.
        """
        observer = observer or Observer()
        with self._locked():
            self._keep_plan()
            if self.quick:
                torch.set_num_threads(1)  # nets this small lose time to threads
            deadline = None if budget_s is None else time.monotonic() + budget_s
            run_cells(
                self.cells,
                self.material.data(self.out / "features", quick=self.quick, progress=observer.clip),
                self.out,
                progress=observer.share,
                start=observer.begin,
                stop=lambda: deadline is not None and time.monotonic() > deadline,
            )

    def report(self) -> Report:
        """Write the report of what is done of the whole plan.

        Raises:
            GenrescopeError: another run is writing to the folder.
        """
        found = read_results(self.out)
        results = up_to_date(found, self.plan)
        outdated = tuple(sorted(found.keys() - results.keys()))
        if not results:
            return Report(None, 0, outdated)
        n_tracks = dict.fromkeys(("all", "audio"), 0)
        for result in results.values():
            n_tracks[result["data"]] = max(n_tracks[result["data"]], result.get("n_tracks", 0))
        sound = f" {n_tracks['audio']} clips are here as sound." if n_tracks["audio"] else ""
        frame_rate = self.material.features.frame_rate
        with self._locked():
            page = write_report(
                self.out,
                results,
                title="Music genre, reproduced",
                facts={
                    "frames": _frames(frame_rate, sound=n_tracks["audio"] > 0),
                    "data": f"Here there are {n_tracks['all']} tracks in the feature store.{sound}",
                },
                quick=self.quick,
            )
        return Report(page, len(results), outdated)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.out.mkdir(parents=True, exist_ok=True)
        with exclusive_lock(self.out) as is_ours:
            if not is_ours:
                raise GenrescopeError(
                    f"{self.out}: another run is writing to it; wait for its end, or name another "
                    "--out."
                )
            yield

    def _keep_plan(self) -> None:
        """Keep what the folder is for, so that figures of two plans never meet in one table."""
        plan: dict[str, Any] = {
            "data": self.name,
            "tracks": fingerprint(self.material.tracks),
            "quick": self.quick,
            "effort": self.effort,
            "features": self.material.features.to_dict(),
        }
        path = self.out / _PLAN
        if not path.exists():
            with atomic_write(path) as part:
                part.write_text(json.dumps(plan) + "\n", encoding="utf-8")
            return
        # A folder that an earlier version began lacks these: it is of the usual front end.
        usual = {"features": STORE_CONFIG.to_dict(), "tracks": plan["tracks"]}
        try:
            kept = usual | json.loads(path.read_text(encoding="utf-8"))
            kept["features"] = FeatureConfig.from_dict(kept["features"]).to_dict()
        except (ValueError, TypeError, RecursionError):
            raise GenrescopeError(f"{path}: is damaged; name another --out.") from None
        changed = {key for key in plan | kept if kept.get(key) != plan.get(key)}
        if changed == {"tracks"}:
            raise GenrescopeError(
                f"{self.out}: holds figures of other tracks, genres or artists than {self.name} "
                "has now; name another --out."
            )
        if changed:
            raise GenrescopeError(
                f"{self.out}: holds another experiment ({kept}); name another --out."
            )


def _frames(frame_rate: float, *, sound: bool) -> str:
    """A sentence on the frames a second of the feature store, and of the clips of sound."""
    if not sound:
        return f"Here there are {frame_rate:.1f} a second."
    of_sound = CONFIGS["mel"].frame_rate
    if frame_rate == of_sound:
        return f"Here there are {frame_rate:.1f} a second, for mel and STFT."
    return (
        f"Here there are {frame_rate:.1f} a second in the feature store, and {of_sound:.1f} for "
        "mel and STFT of the clips that are here as sound."
    )
