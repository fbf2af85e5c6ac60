"""Folders of very many short files, as collections of samples are: what each costs."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import Measure, Row, Session, each_further_ms, in_turn
from benchmarks.material import recordings

SECONDS = 2.0


def measure(session: Session) -> Iterator[Row]:
    few, many = (4, 8) if session.quick else (100, 500)
    folders = {
        n: str(Path(recordings(session, SECONDS, ending="wav", n=n)[0]).parent) for n in (few, many)
    }

    def classify(n: int) -> Measure:
        return session.process(session.genrescope("classify", "--csv", folders[n]))

    def decode(n: int) -> Measure:
        return session.process([sys.executable, "-m", "benchmarks.ours", folders[n], "ours"])

    found = in_turn(
        {
            "few": lambda: classify(few),
            "many": lambda: classify(many),
            "few decoded": lambda: decode(few),
            "many decoded": lambda: decode(many),
        },
        repeats=session.repeats,
    )

    ours, decoding = (
        each_further_ms(found[f"few{side}"], found[f"many{side}"], many - few)
        for side in ("", " decoded")
    )
    more = [a - b for a, b in zip(ours, decoding, strict=True)]
    yield Row(
        figure="samples",
        what=f"each file of {SECONDS:g} s more in a folder of wav files",
        ours=statistics.median(ours),
        other_name="decoding it; the ratio column is the difference, in milliseconds",
        other=statistics.median(decoding),
        unit="ms",
        ratio=statistics.median(more),
        low=min(more),
        high=max(more),
        cpu_ratio=None,
        goal="<= 3",
        repeats=len(more),
        note=f"processor time; from {few} to {many} files",
    )
