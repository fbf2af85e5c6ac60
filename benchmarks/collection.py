"""``python -m benchmarks.collection``: what docs/results/collection.md holds, measured.

It needs the extra ``library``. ``quality`` wants labelled music that the bundle did not learn,
``duplicates`` a folder with a sub-folder of recordings for each genre.
"""

from __future__ import annotations

import argparse
import datetime
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from benchmarks import collection_quality as quality
from benchmarks import collection_similar as similar
from benchmarks.collection_duplicates import duplicates
from benchmarks.collection_scale import Figure, scanning, searching
from benchmarks.labelled import add_data_option
from genrescope.system import n_cores


def main(arguments: list[str] | None = None) -> None:
    """Entry point; see ``--help``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.collection", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    scale = verbs.add_parser("scale", help="scan and search many made-up files and songs")
    scale.add_argument("--files", type=int, default=100_000)
    scale.add_argument("--read", type=int, help="of how many the tags are read; all by default")
    scale.add_argument("--songs", type=int, default=1_000_000)
    scale.add_argument("--folder", type=Path, help="where the files go, and stay")
    store = verbs.add_parser("quality", help="tags, odd, similar and learn on labelled features")
    add_data_option(store)
    store.add_argument(
        "--bundle",
        action="append",
        metavar="FOLDER",
        help="what judges the artists that it did not learn from; may be repeated, for folds",
    )
    music = verbs.add_parser("duplicates", help="fingerprints of recordings and of their guises")
    music.add_argument("--music", type=Path, required=True, metavar="FOLDER")
    chosen = parser.parse_args(arguments)
    load = f"load {os.getloadavg()[0]:.1f} on {n_cores()} cores at the start"
    print(f"{datetime.date.today().isoformat()}, {load}")
    print("\n| what | value | goal | met |\n|---|---|---|---|")
    if chosen.verb == "scale":
        with tempfile.TemporaryDirectory(prefix="genrescope-scale-") as temporary:
            folder = chosen.folder or Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            _print(scanning(folder, chosen.files, chosen.read or chosen.files))
            _print(searching(folder, chosen.songs))
    elif chosen.verb == "quality":
        folds = [quality.judge_stores(chosen.data, name) for name in chosen.bundle or [None]]
        judged, bundle = [part for part, _ in folds], folds[0][1]
        for figures in (
            quality.tags(judged, bundle),
            quality.oddities(quality.together(judged)),
            similar.neighbours(judged),
            similar.weights_by_folds(judged) if len(judged) > 1 else (),
            quality.own_genres(judged),
        ):
            _print(figures)
    else:
        _print(duplicates(chosen.music))


def _print(figures: Iterable[Figure]) -> None:
    for figure in figures:
        met = "" if figure.met is None else "yes" if figure.met else "no"
        print(f"| {figure.what} | {figure.value} | {figure.goal} | {met} |", flush=True)


if __name__ == "__main__":
    main()
