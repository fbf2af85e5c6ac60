"""Which code made a result, and when."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import genrescope

_LASTING = ("refs/heads/main", "refs/heads/master", "refs/remotes")


def today() -> str:
    """The date as results and bundles keep it: ISO, UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%d")


UNLANDED = ", on a branch"
"""After a commit that the main branch does not have, so that a rebase may take its name away."""


@cache  # a commit made meanwhile is not of the code that was loaded
def commit() -> str:
    """The commit of the checkout that runs; empty outside of one.

    Behind it stands whether its files differ from it, and whether neither ``main`` or ``master``
    nor a branch of a remote has it.
    """
    package = Path(genrescope.__file__).resolve().parent

    def git(*asked: str) -> str:
        command = ["git", "-C", str(package), *asked]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        # A virtual environment may lie in the checkout of something else.
        if Path(git("rev-parse", "--show-toplevel")).resolve() != package.parent:
            return ""
        changed = git("status", "--porcelain", "--", "*.py", "*.toml")
        lasting = git("for-each-ref", "--contains", "HEAD", *_LASTING)
        marks = (", with changes" if changed else "") + ("" if lasting else UNLANDED)
        return git("rev-parse", "HEAD") + marks
    except (OSError, subprocess.CalledProcessError):
        return ""
