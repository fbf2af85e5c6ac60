"""A folder of 200 recordings, the whole process: against decoding alone, and in real time."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.harness import Row, Session, compare, in_turn
from benchmarks.material import recordings


def measure(session: Session) -> Iterator[Row]:
    n = 4 if session.quick else 200
    folder = str(Path(recordings(session, session.seconds, n=n)[0]).parent)
    found = in_turn(
        {
            "ours": lambda: session.process(session.genrescope("classify", "--csv", folder)),
            "decoding": lambda: session.process([sys.executable, "-m", "benchmarks.ours", folder]),
        },
        repeats=session.repeats,
    )
    row = compare(
        found,
        figure="folder",
        what=f"classify {n} mp3 files of {session.seconds:g} s, whole process",
        other="decoding",
        other_name="decoding them alone, same decoder, all cores",
        goal="<= 2",
    )
    yield row
    audio_s = n * session.seconds
    speeds = [audio_s / one.wall_s for one in found["ours"]]
    yield replace(
        row,
        other=audio_s,
        other_name="the music's own length",
        ratio=statistics.median(speeds),
        low=min(speeds),
        high=max(speeds),
        cpu_ratio=None,
        goal=">= 500",
    )
