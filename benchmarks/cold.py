"""From the Enter key to the answer for one file, against importing two libraries."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks.harness import Row, Session, compare, in_turn
from benchmarks.material import recordings


def measure(session: Session) -> Iterator[Row]:
    (file,) = recordings(session, session.seconds)
    imports = [sys.executable, "-c", "import numpy, onnxruntime"]
    found = in_turn(
        {
            "ours": lambda: session.process(session.genrescope("classify", file)),
            "imports": lambda: session.process(imports),
        },
        repeats=2 * session.repeats,  # short, so easily disturbed
    )
    yield compare(
        found,
        figure="cold",
        what=f"genrescope classify one.mp3 ({session.seconds:g} s), whole process",
        other="imports",
        other_name='python -c "import numpy, onnxruntime"',
        goal="<= 1.5",
        note="files in the disk cache, byte code compiled",
    )
