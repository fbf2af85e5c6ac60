"""What it costs to decode strangers' files in a confined process, on files that are good."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from benchmarks.harness import Measure, Row, Session, each_further_ms, in_turn
from benchmarks.material import recordings


def measure(session: Session) -> Iterator[Row]:
    few, many = (1, 3) if session.quick else (10, 60)
    folders = {
        n: str(Path(recordings(session, session.seconds, n=n)[0]).parent) for n in (few, many)
    }

    def side(way: str, n: int) -> Measure:
        command = [sys.executable, "-m", "benchmarks.confinement", way, folders[n]]
        return session.process([*command, *([session.bundle] if session.bundle else [])])

    ways = ("confined", "plain")
    found = in_turn(
        {f"{way} {n}": lambda way=way, n=n: side(way, n) for way in ways for n in (few, many)},
        repeats=session.repeats,
    )

    ours, plain = (
        each_further_ms(found[f"{way} {few}"], found[f"{way} {many}"], many - few) for way in ways
    )
    ratios = [a / b for a, b in zip(ours, plain, strict=True)]
    yield Row(
        figure="confinement",
        what=f"classify an mp3 of {session.seconds:g} s that a confined process decodes",
        ours=statistics.median(ours),
        other_name="decoding it in the process itself",
        other=statistics.median(plain),
        unit="ms",
        ratio=statistics.median(ratios),
        low=min(ratios),
        high=max(ratios),
        cpu_ratio=None,
        goal="<= 1.05",
        repeats=len(ratios),
        note=f"processor time of both processes; from {few} to {many} files",
    )


def _classify(way: str, folder: str, bundle: str | None = None) -> None:
    """Classify a folder's files one after the other, decoded here or in a confined process."""
    from genrescope.audio.isolation import FOLDER_LIMITS
    from genrescope.model.classifier import Classifier
    from genrescope.model.isolation import IsolatedFeatures

    classifier = Classifier.load(bundle, threads=1)
    files = sorted(map(str, Path(folder).iterdir()))
    if way == "plain":
        for file in files:
            classifier.classify(file)
        return
    features = IsolatedFeatures(
        classifier.bundle, processes=1, memory_bytes=FOLDER_LIMITS.memory_bytes
    )
    with closing(features.sandbox):
        for file in files:
            classifier.classify_features(features.features_in_time(file))


if __name__ == "__main__":  # a whole process
    _classify(*sys.argv[1:])
