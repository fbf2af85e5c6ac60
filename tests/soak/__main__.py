"""``make soak``: the long run of everything that is meant to break it, and its report.

PYTHONPATH=tests python -m soak [--scale 1] [--only PART] [--bundle FOLDER] [--out docs/results]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from audio_makers import chord, encoded
from bundle_maker import make_bundle
from soak import report
from soak.agreement import disagreements
from soak.api import explore
from soak.collection import disturb_collection
from soak.fleet import disturb_fleet
from soak.fleet_broken import break_songs
from soak.fleet_overhead import BUSY_ROUNDS, compare_engines
from soak.folder import disturb
from soak.fuzz import fuzz
from soak.load import load, released
from soak.material import asks
from soak.server import served
from soak.siege import MEMORY_MB, besiege

from genrescope.model.bundle import DEFAULT_BUNDLE

INPUTS, REQUESTS, EXAMPLES, FILES, RUNS = 60_000, 4_000, 200, 400, 24
SONGS, KILLS, BROKEN_SONGS = 20_000, 10, 2_000
COLLECTION_KILLS = 500


def main() -> int:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        bundle = options.bundle
        if bundle is None:
            shipped = (DEFAULT_BUNDLE / "bundle.json").exists()
            bundle = DEFAULT_BUNDLE if shipped else make_bundle(here / "tiny").path
        # The net is not what is under fire, but where ``bundle`` is named.
        run = Run(bundle, make_bundle(here / "small").path, here, options.saved, options.scale)
        results = []
        for name in [options.only] if options.only else PARTS:
            with _timed(name):
                results += PARTS[name](run)
    name = f"soak-{options.only}" if options.only else "soak"
    report.write(results, options.out, command=_command(), bundle=bundle.name, name=name)
    bad = [line for result in results for line in result.failures]
    print("\n".join(bad) or f"All well; see {options.out / name}.md")
    return 1 if bad else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("soak", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the long run")
    parser.add_argument("--only", choices=PARTS, help="one part; its report has a name of its own")
    parser.add_argument("--bundle", type=Path, help="by default the one that ships")
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    parser.add_argument("--saved", type=Path, default=Path(".scratch/soak"), help="for failures")
    return parser.parse_args()


def _command() -> str:
    return " ".join(["make soak", *(f"SOAK='{' '.join(sys.argv[1:])}'" for _ in sys.argv[1:2])])


@dataclass(frozen=True)
class Run:
    """What each part is given.

    Attributes:
        bundle, tiny: the bundle that ships, and one that answers at once.
        here: an empty folder.
        saved: where what fails is kept.
        scale: share of the long run.
    """

    bundle: Path
    tiny: Path
    here: Path
    saved: Path
    scale: float

    def n(self, full: int) -> int:
        return max(1, round(full * self.scale))


def _agreement(run: Run) -> Iterator[report.Result]:
    yield report.of_agreement(disagreements(run.bundle, n_clips=run.n(40)))


def _fuzzer(run: Run) -> Iterator[report.Result]:
    cores = os.cpu_count() or 1
    found = fuzz(run.n(INPUTS), bundle=run.tiny, folder=run.saved, processes=cores)
    yield report.of_fuzz(found, run.saved)


def _folder(run: Run) -> Iterator[report.Result]:
    n_files, n_runs = run.n(FILES), run.n(RUNS)
    yield report.of_folder(disturb(run.tiny, run.here / "job", n_files=n_files, n_runs=n_runs))


def _collection(run: Run) -> Iterator[report.Result]:
    n_kills = run.n(COLLECTION_KILLS)
    yield report.of_collection(
        disturb_collection(run.tiny, run.here / "collection", n_kills=n_kills)
    )


def _fleet(run: Run) -> Iterator[report.Result]:
    if find_spec("ray") is None:
        return
    tiny, here = run.tiny, run.here
    killed = {"n_songs": run.n(SONGS), "n_kills": run.n(KILLS), "shard_size": 200}
    yield report.of_fleet(
        disturb_fleet(tiny, here / "killed", engine="ray", pause_s=0.03, **killed)
    )
    n_songs = run.n(BROKEN_SONGS)
    yield report.of_breakage(break_songs(tiny, here / "broken", engine="ray", n_songs=n_songs))


def _engines(run: Run) -> Iterator[report.Result]:
    if find_spec("ray") is None:
        return
    tiny, here = run.tiny, run.here
    yield report.of_overhead(
        compare_engines(tiny, here / "idle", n_songs=run.n(SONGS), rounds=0),
        compare_engines(tiny, here / "busy", n_songs=run.n(SONGS // 4), rounds=BUSY_ROUNDS),
    )


def _api(run: Run) -> Iterator[report.Result]:
    with served(run.tiny, log=run.here / "api.log") as server:
        yield report.of_api(explore(server.url, examples=run.n(EXAMPLES)))


def _siege(run: Run) -> Iterator[report.Result]:
    with served(run.tiny, log=run.here / "siege.log", memory_mb=MEMORY_MB) as server:
        good = encoded("mp3", chord(10, 44_100, n_channels=2), 44_100)
        siege = besiege(server.url, good, seconds=max(10, run.n(120)))
        yield report.of_siege(siege, max(server.memory_mb))


def _load(run: Run) -> Iterator[report.Result]:
    kinds = asks(run.bundle)
    with served(run.bundle, log=run.here / "load.log") as server:
        rounds, marks = [], []
        for _ in range(3):  # memory that grows from round to round is lost
            rounds.append(load(server.url, kinds, n_requests=run.n(REQUESTS // 3)))
            marks.append(max(server.memory_mb))
            server.memory_mb.clear()
        held = released(server.url)
    yield report.of_load(rounds, marks, held)


PARTS: dict[str, Callable[[Run], Iterator[report.Result]]] = {
    "agreement": _agreement,
    "fuzzer": _fuzzer,
    "folder": _folder,
    "collection": _collection,
    "fleet": _fleet,
    "engines": _engines,
    "api": _api,
    "siege": _siege,
    "load": _load,
}


@contextmanager
def _timed(what: str) -> Iterator[None]:
    started = time.perf_counter()
    print(f"{what} ...", end=" ", flush=True)
    yield
    print(f"{time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
