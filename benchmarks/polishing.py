"""Polishing a recording, against FFmpeg's loudness filter alone on the same file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from benchmarks.harness import Row, Session, UnavailableError, compare, in_turn, workers
from benchmarks.material import recordings

SECONDS = 133.0


def measure(session: Session) -> Iterator[Row]:
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise UnavailableError("FFmpeg's command line is not installed")
    seconds = session.seconds if session.quick else SECONDS
    (file,) = recordings(session, seconds, ending="wav")
    command = [ffmpeg, "-v", "error", "-y", "-i", file, "-af", "loudnorm", "-f", "wav", os.devnull]
    with ExitStack() as stack:
        sides = workers(stack, session, ours=("benchmarks.polishing:polisher", {"file": file}))
        sides["loudnorm"] = lambda: session.process(command)
        found = in_turn(sides, repeats=session.repeats)
    yield compare(
        found,
        figure="polishing",
        what=f"polish a wav of {seconds:g} s, libraries loaded",
        other="loudnorm",
        other_name="ffmpeg -af loudnorm, whole process",
        goal="<= 0.5",
        note="both read the file and make a wav of the result",
    )


def polisher(file: str) -> Callable[[], None]:
    """Reads, polishes and writes to memory."""
    from genrescope.audio.decode import decode_channels
    from genrescope.mastering.polish import polish, to_wav

    def run() -> None:
        polished = polish(*decode_channels(file))
        to_wav(polished.samples, polished.sr)

    return run
