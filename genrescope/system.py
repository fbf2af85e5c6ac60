"""What the machine, or the container, gives this process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

if sys.platform != "win32":
    import resource

_CGROUPS = Path("/sys/fs/cgroup")
_KEPT_BYTES = 4 << 20  # half a minute of sound at the front end's rate


def n_cores() -> int:
    """Processor cores that this process may use, at least 1.

    The cores it may be scheduled on, or fewer where a container has a quota of processor time.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    quota = _cpu_quota(_CGROUPS)
    return cores if quota is None else max(1, min(cores, round(quota)))


def keep_freed_memory() -> None:
    """Have what is freed kept for the next who asks for as much, and not given back to the system.

    glibc maps blocks of more than 128 kB anew each time, and each new page costs a call to the
    system, until a larger block was freed once: from then on such blocks are kept (mallopt(3),
    M_MMAP_THRESHOLD). Other allocators do not care.
    """
    bytes(_KEPT_BYTES)


def room_for_files(wanted: int) -> int:
    """Have the system allow ``wanted`` open files, if it lets us; how many it allows."""
    if sys.platform == "win32":
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):
        return soft
    return most


def _cpu_quota(root: Path) -> float | None:
    """Cores' worth of time that control groups (version 2, or 1) allow; None without a limit."""
    try:
        if (limits := root / "cpu.max").exists():
            quota, period = limits.read_text().split()
        else:
            quota = (root / "cpu" / "cpu.cfs_quota_us").read_text()
            period = (root / "cpu" / "cpu.cfs_period_us").read_text()
        share = float(quota) / float(period)
    except (OSError, ValueError, ZeroDivisionError):  # "max" stands for no limit
        return None
    return share if share > 0 else None
