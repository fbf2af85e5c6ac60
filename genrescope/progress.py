"""How far a long piece of work has come: one type for all who tell it and all who show it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float, float | None, str], None]
"""Called with how much is done, how much there is in all (None where that is unknown), and the ID
of what was done last, or the name of the stage. Each function says what it counts."""


def no_progress(done: float, total: float | None, what: str) -> None:
    """A `Progress` that tells nobody."""
