"""A run with a step that does nothing, as a process of its own that a test may kill.

python fleet_driver.py ENGINE WORKERS PLAN OUT BUNDLE [PAUSE_S LOG]
"""

from __future__ import annotations

import functools
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fleet_makers import NullStep

from genrescope.fleet.engines import local
from genrescope.fleet.plan import Song
from genrescope.fleet.rows import Answer
from genrescope.fleet.run import run
from genrescope.fleet.store import open_folder
from genrescope.model.bundle import Bundle


class SlowStep(NullStep):
    """Takes its time, and leaves a line for each song that it answers for."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        self._pause_s = float(os.environ["FLEET_PAUSE_S"])
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._log = os.open(os.environ["FLEET_LOG"], flags)

    def __call__(self, song: Song) -> Answer:
        os.write(self._log, f"{song.id}\n".encode())
        time.sleep(self._pause_s)
        return super().__call__(song)


def main() -> None:
    engine, workers, plan, out, bundle, *slow = sys.argv[1:]
    if slow:
        os.environ["FLEET_PAUSE_S"], os.environ["FLEET_LOG"] = slow
    if engine == "ray":
        from genrescope.fleet.engines import ray

        chosen = functools.partial(ray.map_shards, workers=int(workers))
    else:
        chosen = functools.partial(local.map_shards, workers=int(workers))
    began = time.perf_counter()

    def tell(done: float, _: float | None, what: str) -> None:
        print(f"{time.perf_counter() - began:.3f} {done:.0f} {what}", flush=True)

    report = run(
        open_folder(plan),
        open_folder(out),
        Bundle.load(bundle),
        chosen,
        make_step=SlowStep if slow else NullStep,
        progress=tell,
    )
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
