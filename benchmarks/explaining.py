"""What it costs to say why a recording is of its genre."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks.harness import Row, Session, in_turn, workers
from benchmarks.material import recordings

GOAL_S = 2.0


def measure(session: Session) -> Iterator[Row]:
    (file,) = recordings(session, session.seconds)
    options = {"bundle": session.bundle, "files": [file]}
    with ExitStack() as stack:
        sides = workers(
            stack,
            session,
            explained=("benchmarks.ours:explainer", options),
            classified=("benchmarks.ours:classifier", {**options, "threads": 1}),
        )
        found = in_turn(sides, repeats=session.repeats)
    seconds = [measure.cpu_s for measure in found["explained"]]
    yield Row(
        figure="explaining",
        what=f"explain an mp3 of {session.seconds:g} s, one thread, processor time",
        ours=statistics.median(seconds),
        other_name="classifying it; the ratio column is what explaining takes, in seconds",
        other=statistics.median(measure.cpu_s for measure in found["classified"]),
        unit="s",
        ratio=statistics.median(seconds),
        low=min(seconds),
        high=max(seconds),
        cpu_ratio=None,
        goal=f"<= {GOAL_S:g}",
        repeats=len(seconds),
        note="a stretch of a net's input is hidden or shown alone some 480 times",
    )
