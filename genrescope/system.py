"""What the machine, or the container, gives this process, and what this process gives to a task."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import resource

_CGROUPS = Path("/sys/fs/cgroup")
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # of glibc's malloc.h
_NO_LIMIT = 2**62  # control groups of version 1 say about so much where there is none
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


def memory_limit() -> int | None:
    """Bytes of memory that a container gives; None without a limit."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            limit = int((_CGROUPS / name).read_text())
        except (OSError, ValueError):  # "max" stands for no limit
            continue
        return limit if 0 < limit < _NO_LIMIT else None
    return None


def keep_freed_memory() -> None:
    """Have what is freed kept for the next who asks for as much, and not given back to the system.

    glibc maps blocks of more than 128 kB anew each time, and each new page costs a call to the
    system, until a larger block was freed once: from then on such blocks are kept (mallopt(3),
    M_MMAP_THRESHOLD). Other allocators do not care.
    """
    bytes(_KEPT_BYTES)


def give_back_freed_memory() -> None:
    """The opposite of `keep_freed_memory`, for a process that holds large things for a while: have
    each block of more than 1 MB given back to the system once it is freed, and let all threads
    share two heaps (mallopt(3)). Nothing where the system has no such setting."""
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 1 << 20)
        libc.mallopt(_M_ARENA_MAX, 2)


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


_AGAIN_S = 0.05


class _Overdue(BaseException):
    """No Exception, since a library may take any of those for a damaged file and go on."""


@contextmanager
def interrupted_after(cpu_s: float) -> Iterator[None]:
    """Raise TimeoutError where a block of Python code takes more time of a processor than this.

    On POSIX, in the main thread; elsewhere it takes as long as it takes.
    """
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return

    armed = True

    def interrupt(*_: object) -> None:
        if armed:
            raise _Overdue

    before = signal.signal(signal.SIGVTALRM, interrupt)
    try:
        # Again and again: where it falls into a destructor, Python drops what is raised.
        signal.setitimer(signal.ITIMER_VIRTUAL, cpu_s, _AGAIN_S)
        yield
    except _Overdue:
        raise TimeoutError(f"it took more than {cpu_s:g} seconds of a processor") from None
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


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
