"""Which tests run in one process, and which first, where several processes test at once."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

TOGETHER = (
    "cli", "fleet", "lab/evaluation", "lab/export", "lab/training", "library", "reproduction",
)  # fmt: skip
"""Rooms whose tests share what is dear to make, such as runs: one process has each."""

FIRST = ("cli", "library", "web/test_local", "e2e/", "lab/export", "web/", "soak/", "dream/")
"""How groups begin that take longest, so that no process has them left when the others are done."""


def group_of(nodeid: str) -> str:
    """The group of a test, by its ID: a room of `TOGETHER`, else its file."""
    file = nodeid.partition("::")[0].removeprefix("tests/")
    return next((room for room in TOGETHER if file.startswith(f"{room}/")), file)


def rank_of(nodeid: str) -> int:
    """Place of a test's group among `FIRST`; behind all of them where it is none."""
    group = group_of(nodeid)
    return next((i for i, start in enumerate(FIRST) if group.startswith(start)), len(FIRST))


class ByGroup(LoadScopeScheduling):  # type: ignore[misc]
    """Gives a process whole groups.

    The mark ``xdist_group`` would do as well, but that pytest-xdist 3.8 loses it with pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
