"""A folder of 200 recordings, the whole process: against the fastest decoder, and in real time."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.decoding import DECODERS
from benchmarks.harness import Measure, Row, Session, compare, in_turn
from benchmarks.material import recordings


def measure(session: Session) -> Iterator[Row]:
    n = 4 if session.quick else 200
    folder = str(Path(recordings(session, session.seconds, n=n)[0]).parent)

    def alone(decoder: str) -> Callable[[], Measure]:
        command = [sys.executable, "-m", "benchmarks.ours", folder, decoder]
        return lambda: session.process(command)

    found = in_turn(
        {
            "ours": lambda: session.process(session.genrescope("classify", "--csv", folder)),
            **{name: alone(name) for name in DECODERS},
        },
        repeats=session.repeats,
    )
    fastest = min(DECODERS, key=lambda name: statistics.median(m.wall_s for m in found[name]))
    row = compare(
        found,
        figure="folder",
        what=f"classify {n} mp3 files of {session.seconds:g} s, whole process",
        other=fastest,
        other_name=f"{DECODERS[fastest]} decoding them alone on all cores, nothing kept",
        goal="<= 1.6",
        note="the fastest of " + " and ".join(DECODERS.values()),
    )
    yield row
    audio_s = n * session.seconds
    speeds = [audio_s / measure.wall_s for measure in found["ours"]]
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
