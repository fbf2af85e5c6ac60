"""One recording of each format and length on one thread, against decoding it alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks.harness import Row, Session, compare, in_turn, workers
from benchmarks.material import recordings

ENDINGS = ("mp3", "flac", "m4a", "webm")


def measure(session: Session) -> Iterator[Row]:
    for seconds in (session.seconds, 8 * session.seconds):
        for ending in ENDINGS:
            files = recordings(session, seconds, ending=ending)
            with ExitStack() as stack:
                sides = workers(
                    stack,
                    session,
                    ours=(
                        "benchmarks.ours:classifier",
                        {"bundle": session.bundle, "files": files, "threads": 1},
                    ),
                    decoding=("benchmarks.ours:decoder", {"files": files, "threads": 1}),
                )
                found = in_turn(sides, repeats=session.repeats)
            yield compare(
                found,
                figure="formats",
                what=f"classify one {ending} of {seconds:g} s, one thread",
                other="decoding",
                other_name="decoding it alone, same decoder",
            )
