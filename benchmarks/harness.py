"""Two sides of a comparison, run in turn, so that whatever else the machine does hits both.

Each side is a process of its own: either one that is started, works and ends (`Process`), or one
that loads its libraries, warms up and is then timed again and again (`Worker`). The process that
measures holds next to nothing, so that a child's peak memory is its own.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


class UnavailableError(Exception):
    """A figure cannot be measured here; the message says what it lacks."""


@dataclass(frozen=True)
class Measure:
    """One run: seconds on the clock, seconds of processor, peak memory (MB, 0 if unknown)."""

    wall_s: float
    cpu_s: float
    peak_mb: float = 0.0
    value: Any = None


def each_further_ms(few: Sequence[Measure], many: Sequence[Measure], n: int) -> list[float]:
    """Processor time of each of ``n`` files that ``many`` has more than ``few``, a round each, ms.

    So what starting takes does not count.
    """
    return [(b.cpu_s - a.cpu_s) / n * 1000 for a, b in zip(few, many, strict=True)]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        figure: name of the figure it belongs to.
        what: what was done.
        ours, other: medians, in ``unit``.
        other_name: what stands beside ours.
        ratio: median over the rounds of the two sides' ratio, so named that the goal bounds it.
        low, high: smallest and largest ratio of a round.
        cpu_ratio: the same of processor time, which a busy machine disturbs less; None where it
            means nothing.
        goal: ``<= 2`` and the like, or empty.
        repeats: rounds.
        peak_mb: our side's peak memory, 0 where it was not measured.
        note: what to know about the comparison.
    """

    figure: str
    what: str
    ours: float
    other_name: str
    other: float
    unit: str
    ratio: float
    low: float
    high: float
    cpu_ratio: float | None
    goal: str
    repeats: int
    peak_mb: float = 0.0
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without one."""
        if not self.goal:
            return None
        sign, bound = self.goal.split()
        return self.ratio <= float(bound) if sign == "<=" else self.ratio >= float(bound)


@dataclass
class Session:
    """What the figures share: where the made files lie, how often to repeat, which bundle.

    Attributes:
        folder: for what is made.
        repeats: rounds that count; one more before them does not.
        quick: everything tiny, to see that it works.
        bundle: folder of the bundle, or None for the one that ships.
    """

    folder: Path
    repeats: int
    quick: bool
    bundle: str | None
    made: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Length of a short recording."""
        return 4.0 if self.quick else 30.0

    def genrescope(self, *arguments: str) -> list[str]:
        """The command line of a user, as it is installed."""
        script = Path(sys.executable).with_name("genrescope")
        start = [str(script)] if script.exists() else [sys.executable, "-m", "genrescope"]
        chosen = ["--bundle", self.bundle] if self.bundle else []
        return [*start, arguments[0], *chosen, *arguments[1:]]

    def environment(self) -> dict[str, str]:
        """Of every child: byte code is kept, as in an installed package, and nothing downloads."""
        kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        return kept | {
            "PYTHONPYCACHEPREFIX": str(self.folder / "pycache"),
            "PYTHONPATH": str(ROOT),
            "HF_HUB_OFFLINE": "1",
            "TRANSFORMERS_VERBOSITY": "error",
        }

    def process(self, command: Sequence[str]) -> Measure:
        """Run a command to its end. Raises RuntimeError, with what it said, if it fails."""
        log = self.folder / "stderr"
        with log.open("wb") as errors:
            start = time.perf_counter()
            child = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=errors, env=self.environment()
            )
            _, status, usage = os.wait4(child.pid, 0)
            wall_s = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            errors_text = log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{' '.join(command[:3])} ... failed:\n{errors_text}")
        unit = 2**20 if sys.platform == "darwin" else 2**10
        return Measure(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)


class Worker:
    """A process that has made ready and waits to be told to run, see `benchmarks.worker`.

    Args:
        session: gives the environment.
        maker: ``module:function``; called with ``options``, it returns what is timed.
        options: JSON-ready arguments.
    """

    def __init__(self, session: Session, maker: str, **options: Any) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", maker, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=session.environment(),
            text=True,
        )
        ready = self._answer()
        if "lacks" in ready:
            self._end()
            raise UnavailableError(f"{ready['lacks']} is not installed")

    def __call__(self) -> Measure:
        assert self._process.stdin is not None
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        return Measure(**self._answer())

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a worker ended with status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _end(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.wait()


def workers(
    stack: ExitStack, session: Session, **sides: tuple[str, Mapping[str, Any]]
) -> dict[str, Callable[[], Measure]]:
    """Start a `Worker` for each side; they end with the stack."""
    return {
        name: stack.enter_context(Worker(session, maker, **options))
        for name, (maker, options) in sides.items()
    }


def in_turn(
    sides: Mapping[str, Callable[[], Measure]], *, repeats: int
) -> dict[str, list[Measure]]:
    """Run all sides once to warm up, then in rounds, each round in the reverse order."""
    found: dict[str, list[Measure]] = {name: [] for name in sides}
    order = list(sides)
    for number in range(repeats + 1):
        for name in order:
            measure = sides[name]()
            if number:
                found[name].append(measure)
        order.reverse()
    return found


def compare(
    found: Mapping[str, list[Measure]],
    *,
    figure: str,
    what: str,
    other: str,
    other_name: str,
    goal: str = "",
    ours: str = "ours",
    per: int = 1,
    note: str = "",
) -> Row:
    """The row of two sides' times: ours / other for a goal of ``<=`` or none, else other / ours.

    Args:
        found: from `in_turn`.
        ours, other: the sides' names there.
        per: how many recordings one run holds; the medians are of one.
    """
    a, b = found[ours], found[other]
    if goal.startswith(">="):
        wall = [y.wall_s / x.wall_s for x, y in zip(a, b, strict=True)]
        cpu = [y.cpu_s / x.cpu_s for x, y in zip(a, b, strict=True)]
    else:
        wall = [x.wall_s / y.wall_s for x, y in zip(a, b, strict=True)]
        cpu = [x.cpu_s / y.cpu_s for x, y in zip(a, b, strict=True)]
    return Row(
        figure=figure,
        what=what,
        ours=statistics.median(x.wall_s for x in a) / per,
        other_name=other_name,
        other=statistics.median(y.wall_s for y in b) / per,
        unit="s",
        ratio=statistics.median(wall),
        low=min(wall),
        high=max(wall),
        cpu_ratio=statistics.median(cpu),
        goal=goal,
        repeats=len(a),
        peak_mb=max(x.peak_mb for x in a),
        note=note,
    )
