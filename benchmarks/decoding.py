"""Decoding, mixing and resampling one recording, against the fastest decoder of its format."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks.harness import Row, Session, compare, in_turn, workers
from benchmarks.material import FORMATS, recordings

GOAL = "<= 1.2"
DECODERS = {"pyav": "PyAV (FFmpeg)", "libsndfile": "libsndfile"}
_ONLY_FFMPEG = {"m4a", "webm"}


def measure(session: Session) -> Iterator[Row]:
    for ending in FORMATS:
        files = recordings(session, session.seconds, ending=ending)
        others = [name for name in DECODERS if name == "pyav" or ending not in _ONLY_FFMPEG]
        with ExitStack() as stack:
            sides = workers(
                stack,
                session,
                ours=("benchmarks.ours:decoder", {"files": files, "threads": 1}),
                **{name: (f"benchmarks.ours:{name}", {"files": files}) for name in others},
            )
            found = in_turn(sides, repeats=session.repeats)
        fastest = min(others, key=lambda name: statistics.median(m.cpu_s for m in found[name]))
        yield compare(
            found,
            figure="decoding",
            what=f"decode, mix and resample one {ending} of {session.seconds:g} s, one thread",
            other=fastest,
            other_name=f"{DECODERS[fastest]} decoding it alone, nothing kept",
            goal=GOAL,
            note="the fastest of " + " and ".join(DECODERS[name] for name in others),
        )
