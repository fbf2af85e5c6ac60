"""How far a job is, on standard error: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from genrescope.cli import terminal
from genrescope.cli.terminal import can_show, echo, fit, printable
from genrescope.progress import Progress

_REDRAW_S = 0.1
_LOG_S = 10.0  # from one line to the next, where there is no terminal
_BAR = 30  # cells


class Bar:
    """Shows how much of something is done; see `bar`.

    Args:
        what: a word or two, at the head of the line.
        total: how much there is to do; None where that is not known yet.
        first: how much of it is done already, so that it counts for no speed.
        unit: of the numbers; without one, they are numbers of things.
        log: whether to print a line every ten seconds where standard error is no terminal.
    """

    def __init__(
        self, what: str, total: float | None, *, first: float, unit: str, log: bool
    ) -> None:
        self._what, self._total, self._unit, self._log = what, total, unit, log
        self._done = self._first = first
        self._note = ""
        self._began = self._logged = time.monotonic()
        self._drawn = 0.0

    def update(
        self, done: float, *, total: float | None = None, what: str | None = None, note: str = ""
    ) -> None:
        """Show that so much is done.

        Args:
            done: of the total, all in all.
            total: another total than before.
            what: another head than before; the speed is then counted from here.
            note: at the end of the line, such as the name of a file.
        """
        if what is not None and what != self._what:
            self._what, self._first, self._began = what, done, time.monotonic()
            self._total = None
        self._done, self._note = done, note
        self._total = self._total if total is None else total
        now = time.monotonic()
        if self._total is not None and self._total < 2:  # a single thing needs no bar
            return
        if sys.stderr.isatty():
            if now - self._drawn >= _REDRAW_S or done == self._total:
                self._drawn = now
                self.draw()
        elif self._log and now - self._logged >= _LOG_S:
            self._logged = now
            echo(f"{self._what}: {self._amount()}", err=True)

    def advance(self) -> None:
        """One more thing is done."""
        self.update(self._done + 1)

    def draw(self) -> None:
        """Draw the line anew."""
        share = min(1.0, self._done / self._total) if self._total else 0.0
        full, empty = ("█", "░") if can_show("█░", sys.stderr) else ("#", "-")
        cells = full * round(share * _BAR)
        parts = [self._what, cells.ljust(_BAR, empty), self._amount(), self._left(), self._note]
        line = "  ".join(printable(part) for part in parts if part)
        terminal.draw_last_line(fit(line, keep_end=False))

    def _amount(self) -> str:
        if self._unit:
            of = "" if self._total is None else f" of {self._total:.0f}"
            return f"{self._done:.0f}{of} {self._unit}"
        return f"{self._done:.0f} of {self._total:.0f}" if self._total else ""

    def _left(self) -> str:
        done, elapsed = self._done - self._first, time.monotonic() - self._began
        if not self._total or done <= 0 or elapsed < 1:
            return ""
        return f"{duration(elapsed / done * (self._total - self._done))} left"


@contextmanager
def bar(
    what: str = "",
    total: float | None = None,
    *,
    first: float = 0.0,
    unit: str = "",
    log: bool = False,
) -> Iterator[Bar]:
    """A `Bar` for the length of the block; at its end, the line is wiped. Arguments as there."""
    try:
        yield Bar(what, total, first=first, unit=unit, log=log)
    finally:
        terminal.draw_last_line("")


@contextmanager
def clips_bar(what: str) -> Iterator[Progress]:
    """A bar in clips, with the ID of the last; a line now and then where there is no terminal."""
    with bar(what, log=True) as shown:
        yield lambda done, total, clip: shown.update(done, total=total, note=clip)


@contextmanager
def bytes_bar() -> Iterator[Progress]:
    """A bar in megabytes for one stage after the other, logged as `clips_bar` is."""

    def report(done: float, total: float | None, stage: str) -> None:
        shown.update(done / 1e6, total=None if total is None else total / 1e6, what=stage)

    with bar(unit="MB", log=True) as shown:
        yield report


def duration(seconds: float) -> str:
    """Whole seconds below two minutes, whole minutes below two hours, then whole hours."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
