"""A run with a step that stands in for a model, as a process of its own that a test may kill.

python fleet_driver.py ENGINE WORKERS PLAN OUT BUNDLE null
                                                      slow PAUSE_S LOG
                                                      busy ROUNDS
                                                      fragile
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fleet_makers import FragileStep, NullStep

from genrescope.fleet.engines import local
from genrescope.fleet.plan import Song
from genrescope.fleet.rows import Answer
from genrescope.fleet.run import run
from genrescope.fleet.step import Step
from genrescope.fleet.store import open_folder
from genrescope.model.bundle import Bundle


class SlowStep(NullStep):
    """Takes its time, and leaves a line for each song that it answers for."""

    def __init__(self, bundle: Bundle, *, pause_s: float, log: str) -> None:
        super().__init__(bundle)
        self._pause_s = pause_s
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def __call__(self, song: Song) -> Answer:
        os.write(self._log, f"{song.id}\n".encode())
        time.sleep(self._pause_s)
        return super().__call__(song)


class BusyStep(NullStep):
    """Has the processor work, the same amount for each song."""

    def __init__(self, bundle: Bundle, *, rounds: int) -> None:
        super().__init__(bundle)
        self._rounds = rounds

    def __call__(self, song: Song) -> Answer:
        hashlib.pbkdf2_hmac("sha256", song.id.encode(), b"", self._rounds)
        return super().__call__(song)


def _make_step(kind: str, *settings: str) -> Callable[[Bundle], Step]:
    if kind == "slow":
        pause_s, log = settings
        return functools.partial(SlowStep, pause_s=float(pause_s), log=log)
    if kind == "busy":
        (rounds,) = settings
        return functools.partial(BusyStep, rounds=int(rounds))
    return {"null": NullStep, "fragile": FragileStep}[kind]


def main() -> None:
    engine, workers, plan, out, bundle, *step = sys.argv[1:]
    if engine == "ray":
        from genrescope.fleet.engines import ray

        chosen = functools.partial(ray.map_shards, workers=int(workers))
    else:
        chosen = functools.partial(local.map_shards, workers=int(workers))
    report = run(
        open_folder(plan),
        open_folder(out),
        Bundle.load(bundle),
        chosen,
        make_step=_make_step(*step),
    )
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
