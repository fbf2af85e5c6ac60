"""Which code made a result, and when."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import genrescope


def today() -> str:
    """The date as results and bundles keep it: ISO, UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%d")


@cache  # a commit made meanwhile is not of the code that was loaded
def commit() -> str:
    """The commit of the checkout that runs, and whether its files differ from it; empty outside
    of one."""
    package = Path(genrescope.__file__).resolve().parent

    def git(*asked: str) -> str:
        command = ["git", "-C", str(package), *asked]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        # A virtual environment may lie in the checkout of something else.
        if Path(git("rev-parse", "--show-toplevel")).resolve() != package.parent:
            return ""
        changed = git("status", "--porcelain", "--", "*.py", "*.toml")
        return git("rev-parse", "HEAD") + (", with changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return ""
