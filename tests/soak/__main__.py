"""``make soak``: the long run of everything that is meant to break it, and its report.

PYTHONPATH=tests python -m soak [--scale 1] [--bundle FOLDER] [--out docs/results]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from audio_makers import chord, encoded
from bundle_maker import make_bundle
from soak import report
from soak.agreement import disagreements
from soak.api import explore
from soak.fleet import disturb_fleet
from soak.folder import disturb
from soak.fuzz import fuzz
from soak.load import load, released
from soak.material import asks
from soak.server import served
from soak.siege import besiege

from genrescope.model.bundle import DEFAULT_BUNDLE

INPUTS, REQUESTS, EXAMPLES, FILES, RUNS = 60_000, 4_000, 200, 400, 24
SONGS, KILLS = 20_000, 10


def main() -> int:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        bundle = options.bundle
        if bundle is None:
            shipped = (DEFAULT_BUNDLE / "bundle.json").exists()
            bundle = DEFAULT_BUNDLE if shipped else make_bundle(here / "tiny").path
        results = list(_all(bundle, here, options.saved, options.scale))
    report.write(results, options.out, command=_command(), bundle=bundle.name)
    bad = [line for result in results for line in result.failures]
    print("\n".join(bad) or f"All well; see {options.out / 'soak.md'}")
    return 1 if bad else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("soak", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the long run")
    parser.add_argument("--bundle", type=Path, help="by default the one that ships")
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    parser.add_argument("--saved", type=Path, default=Path(".scratch/soak"), help="for failures")
    return parser.parse_args()


def _command() -> str:
    return " ".join(["make soak", *(f"SOAK='{' '.join(sys.argv[1:])}'" for _ in sys.argv[1:2])])


def _all(bundle: Path, here: Path, saved: Path, scale: float) -> Iterator[report.Result]:
    def n(full: int) -> int:
        return max(1, round(full * scale))

    tiny = make_bundle(here / "small").path  # the net is not what is under fire there
    cores = os.cpu_count() or 1
    with _timed("agreement"):
        yield report.of_agreement(disagreements(bundle, n_clips=n(40)))
    with _timed("fuzzer"):
        yield report.of_fuzz(fuzz(n(INPUTS), bundle=tiny, folder=saved, processes=cores), saved)
    with _timed("folder"):
        yield report.of_folder(disturb(tiny, here / "job", n_files=n(FILES), n_runs=n(RUNS)))
    if find_spec("ray") is not None:
        with _timed("fleet"):
            yield report.of_fleet(
                disturb_fleet(
                    *(tiny, here / "fleet"),
                    engine="ray",
                    n_songs=n(SONGS),
                    n_kills=n(KILLS),
                    shard_size=200,
                    pause_s=0.03,
                )
            )
    with _timed("API"), served(tiny, log=here / "api.log") as server:
        yield report.of_api(explore(server.url, examples=n(EXAMPLES)))
    with _timed("siege"), served(tiny, log=here / "siege.log") as server:
        good = encoded("mp3", chord(10, 44_100, n_channels=2), 44_100)
        siege = besiege(server.url, good, seconds=max(10, n(120)))
        yield report.of_siege(siege, max(server.memory_mb))
    with _timed("load"):
        kinds = asks(bundle)
        with served(bundle, log=here / "load.log") as server:
            rounds, marks = [], []
            for _ in range(3):  # memory that grows from round to round is lost
                rounds.append(load(server.url, kinds, n_requests=n(REQUESTS // 3)))
                marks.append(max(server.memory_mb))
                server.memory_mb.clear()
            held = released(server.url)
        yield report.of_load(rounds, marks, held)


@contextmanager
def _timed(what: str) -> Iterator[None]:
    started = time.perf_counter()
    print(f"{what} ...", end=" ", flush=True)
    yield
    print(f"{time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
