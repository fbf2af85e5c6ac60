"""What the machine gives: cores under a quota, and open files."""

from __future__ import annotations

import platform
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from genrescope import system


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "20000 100000"}, 1),
        ({"cpu.max": "max 100000"}, 8),
        ({"cpu.max": "nonsense"}, 8),
        ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
        ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "0"}, 8),
        ({}, 8),
    ],
)
def test_a_quota_of_processor_time_bounds_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: int
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(system, "_CGROUPS", tmp_path)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)), raising=False)
    assert system.n_cores() == cores


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"memory.max": "1073741824"}, 2**30),
        ({"memory.max": "max"}, None),
        ({"memory/memory.limit_in_bytes": "1073741824"}, 2**30),
        ({"memory/memory.limit_in_bytes": "9223372036854771712"}, None),
        ({"memory.max": "nonsense"}, None),
        ({}, None),
    ],
)
def test_what_memory_a_container_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], limit: int | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(system, "_CGROUPS", tmp_path)
    assert system.memory_limit() == limit


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "allowed"),
    [(256, 4096, 1000, 1000), (256, 512, 1000, 512), (2048, 4096, 1000, 1000), (256, -1, 300, 300)],
)
def test_as_many_files_as_the_hard_limit_allows(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, wanted: int, allowed: int
) -> None:
    import resource

    limits = {resource.RLIMIT_NOFILE: (soft, resource.RLIM_INFINITY if hard == -1 else hard)}
    monkeypatch.setattr(resource, "getrlimit", limits.__getitem__)
    monkeypatch.setattr(resource, "setrlimit", limits.__setitem__)
    assert system.room_for_files(wanted) == allowed
    assert limits[resource.RLIMIT_NOFILE][0] == max(soft, allowed)


def _number_of(script: str, way: str) -> int:
    """What a process of its own prints, which is given ``way``."""
    return int(
        subprocess.run(
            [sys.executable, "-c", script, way],
            check=True, capture_output=True, text=True, timeout=60,
        ).stdout
    )  # fmt: skip


_GROW = """
import resource, sys
from genrescope.system import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for quarters in range(1, 13):  # of a MB; each block larger than any that was freed before
    bytearray(quarters << 18)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators do not care")
def test_pages_of_freed_memory_are_used_again() -> None:
    new_pages = {way: _number_of(_GROW, way) for way in ("keep", "leave")}
    assert new_pages["keep"] < 0.5 * new_pages["leave"]


_HOLD = """
import sys
from pathlib import Path
from genrescope import system
if sys.argv[1] == "back":
    system.give_back_freed_memory()
large = b"x" * (30 << 20)
del large  # from now on glibc keeps blocks of this size
blocks = [b"x" * (8 << 20) for _ in range(10)]
last = b"x" * 200_000
del blocks
status = Path("/proc/self/status").read_text()
print(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="sets what glibc knows")
def test_what_a_server_held_is_given_back_to_the_system() -> None:
    kept_kb = {way: _number_of(_HOLD, way) for way in ("back", "keep")}
    assert kept_kb["back"] < kept_kb["keep"] - 40_000


@pytest.mark.skipif(sys.platform == "win32", reason="there no timer interrupts")
@pytest.mark.usefixtures("main_thread", "no_callbacks_of_the_collector")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_takes_too_long_is_interrupted_whatever_it_catches() -> None:
    def spin() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                sum(range(1_000))
            except Exception:
                continue

    with (
        pytest.raises(TimeoutError, match=r"more than 0\.05 seconds"),
        system.interrupted_after(0.05),
    ):
        spin()
    with system.interrupted_after(60):
        pass
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGVTALRM) == signal.SIG_DFL


@pytest.mark.skipif(sys.platform == "win32", reason="there no timer interrupts")
@pytest.mark.usefixtures("main_thread", "no_callbacks_of_the_collector")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interruption_that_a_destructor_swallows_comes_again() -> None:
    def spin() -> None:
        while True:
            sum(range(1_000))

    class Slow:
        def __del__(self) -> None:
            spin()

    def both() -> None:
        Slow()
        spin()

    with pytest.raises(TimeoutError), system.interrupted_after(0.05):
        both()


def test_other_threads_are_left_alone() -> None:
    def work() -> int:
        with system.interrupted_after(0.001):
            return sum(range(300_000))

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work).result(60) == sum(range(300_000))
