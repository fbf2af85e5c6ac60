"""``python -m benchmarks``: measure, print the table, keep it under docs/results."""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from benchmarks import (
    cold,
    confinement,
    decoding,
    explaining,
    folder,
    formats,
    machine,
    mel,
    polishing,
    ready_made,
    report,
    samples,
    scaling,
    talk,
    web,
)
from benchmarks.harness import ROOT, Row, Session, UnavailableError

FIGURES: dict[str, Callable[[Session], Iterator[Row]]] = {
    "folder": folder.measure,
    "talk": talk.measure,
    "ready-made": ready_made.measure,
    "mel": mel.measure,
    "cold": cold.measure,
    "web": web.measure,
    "scaling": scaling.measure,
    "formats": formats.measure,
    "decoding": decoding.measure,
    "samples": samples.measure,
    "polishing": polishing.measure,
    "confinement": confinement.measure,
    "explaining": explaining.measure,
}
"""Name to what measures it; the name is what ``--only`` looks at."""


def main(arguments: list[str] | None = None) -> None:
    """Entry point; see ``--help``."""
    chosen = _parser().parse_args(arguments)
    console = Console()
    names = [name for name in FIGURES if re.search(chosen.only, name)]
    if not names:
        sys.exit(f"benchmarks: no figure is called {chosen.only}; there are {', '.join(FIGURES)}")
    facts, rows, missing = machine.facts(), [], []
    with tempfile.TemporaryDirectory(prefix="genrescope-bench-") as temporary:
        session = Session(Path(temporary), chosen.repeats, chosen.quick, chosen.bundle)
        for name in names:
            with console.status(f"measuring: {name}"):
                try:
                    found = list(FIGURES[name](session))
                except UnavailableError as error:
                    missing.append(f"{name} ({error})")
                    continue
            report.show(found, console)
            rows += found
    for figure in missing:
        console.print(f"not measured: {figure}", style="yellow")
    out = chosen.out
    whole = names == list(FIGURES)
    if out is None and rows and not chosen.quick and whole:
        out = ROOT / "docs" / "results"
    if out is not None:
        report.write(out, rows, facts, command=_command(chosen), missing=missing, keep=not whole)
        console.print(f"written: {out / 'bench.csv'}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default="", metavar="PATTERN", help="figures whose name matches")
    parser.add_argument("--repeats", type=_count, default=7, help="rounds (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it works")
    parser.add_argument("--bundle", metavar="FOLDER", help="model, where not the one that ships")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="where the tables go; by default docs/results, for a whole run alone. With --only, "
        "what they say of other figures stays",
    )
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("a whole number, at least 1")
    return int(text)


def _command(chosen: argparse.Namespace) -> str:
    """What to type for the same table, without folders of this machine."""
    parts = ["python -m benchmarks"]
    parts += [f"--only '{chosen.only}'"] if chosen.only else []
    parts += [f"--repeats {chosen.repeats}"] if chosen.repeats != 7 else []
    parts += ["--quick"] if chosen.quick else []
    parts += [f"--bundle {Path(chosen.bundle).name}"] if chosen.bundle else []
    return "make bench" if len(parts) == 1 else " ".join(parts)


if __name__ == "__main__":
    main()
