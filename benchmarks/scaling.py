"""What a recording costs as it grows: time and peak memory of the whole process."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from functools import partial

from benchmarks.harness import Measure, Row, Session, in_turn
from benchmarks.material import long_recording

LENGTHS_S = (30.0, 240.0, 960.0, 2160.0, 3600.0, 7200.0)
QUICK_S = (4.0, 8.0, 16.0)


def measure(session: Session) -> Iterator[Row]:
    lengths = QUICK_S if session.quick else LENGTHS_S
    sides = {
        f"{seconds:g}": partial(_classify, session, long_recording(session, seconds))
        for seconds in lengths
    }
    found = in_turn(sides, repeats=max(1, session.repeats // 2))
    for seconds in lengths:
        yield _length(found[f"{seconds:g}"], seconds)
    yield _linear(found, lengths)
    yield _memory(found, lengths)


def _classify(session: Session, file: str) -> Measure:
    return session.process(session.genrescope("classify", "--json", file))


def _length(measures: list[Measure], seconds: float) -> Row:
    speeds = [seconds / measure.wall_s for measure in measures]
    return Row(
        figure="length",
        what=f"classify one mp3 of {seconds:g} s, whole process",
        ours=statistics.median(measure.wall_s for measure in measures),
        other_name="the music's own length",
        other=seconds,
        unit="s",
        ratio=statistics.median(speeds),
        low=min(speeds),
        high=max(speeds),
        cpu_ratio=None,
        goal="",
        repeats=len(measures),
        peak_mb=max(measure.peak_mb for measure in measures),
    )


def _linear(found: dict[str, list[Measure]], lengths: tuple[float, ...]) -> Row:
    """What a second more costs in the upper half of lengths, against the lower half."""
    short, middle, long = (f"{seconds:g}" for seconds in (lengths[0], lengths[-2], lengths[-1]))
    lower_s, upper_s = lengths[-2] - lengths[0], lengths[-1] - lengths[-2]

    def ratios(seconds: str) -> list[float]:
        a, b, c = ([getattr(m, seconds) for m in found[side]] for side in (short, middle, long))
        return [((z - y) / upper_s) / ((y - x) / lower_s) for x, y, z in zip(a, b, c, strict=True)]

    wall, cpu = ratios("wall_s"), ratios("cpu_s")
    per_hour = [
        statistics.median(m.wall_s for m in found[b])
        - statistics.median(m.wall_s for m in found[a])
        for a, b in ((middle, long), (short, middle))
    ]
    return Row(
        figure="linear",
        what=f"each hour of music beyond {lengths[-2]:g} s",
        ours=per_hour[0] * 3600 / upper_s,
        other_name=f"each hour from {lengths[0]:g} s to {lengths[-2]:g} s",
        other=per_hour[1] * 3600 / lower_s,
        unit="s",
        ratio=statistics.median(wall),
        low=min(wall),
        high=max(wall),
        cpu_ratio=statistics.median(cpu),
        goal="<= 1.2",
        repeats=len(wall),
        note="1 is linear",
    )


def _memory(found: dict[str, list[Measure]], lengths: tuple[float, ...]) -> Row:
    """Peak memory of the longest against the shortest."""
    long, short = found[f"{lengths[-1]:g}"], found[f"{lengths[0]:g}"]
    more = [a.peak_mb - b.peak_mb for a, b in zip(long, short, strict=True)]
    return Row(
        figure="memory",
        what=f"peak memory for an mp3 of {lengths[-1]:g} s",
        ours=statistics.median(m.peak_mb for m in long),
        other_name=f"for one of {lengths[0]:g} s; the ratio column is the difference",
        other=statistics.median(m.peak_mb for m in short),
        unit="MB",
        ratio=statistics.median(more),
        low=min(more),
        high=max(more),
        cpu_ratio=None,
        goal="<= 60",
        repeats=len(more),
        peak_mb=max(m.peak_mb for m in long),
    )
