"""The process behind `benchmarks.harness.Worker`: makes ready once, then runs when told.

Speaks JSON lines: ``{}`` when ready (or ``{"lacks": ...}``), then one measure for each line read.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib import import_module


def main() -> None:
    """Run ``module:function`` of the first argument with the options of the second."""
    # What libraries print must not get between the lines.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    module, function = sys.argv[1].split(":")
    try:
        run = getattr(import_module(module), function)(**json.loads(sys.argv[2]))
    except ModuleNotFoundError as error:
        print(json.dumps({"lacks": error.name}), file=answers, flush=True)
        return
    print("{}", file=answers, flush=True)
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        value = run()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        answer = {"wall_s": wall, "cpu_s": cpu, "value": value}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
