"""A driver of many shards and all that it starts: who they are, what they take, whom they ask."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

_DRIVER = Path(__file__).parents[1] / "fleet_driver.py"
_MARK = "GENRESCOPE_FLEET_TEST"  # in the environment of all that a driver starts

PATIENCE_S = 300.0
"""So long nothing may happen before a run counts as stuck."""


def start(
    folder: Path, engine: str, workers: int, out: Path, bundle: Path, *step: str
) -> subprocess.Popen[bytes]:
    """Start a driver of the plan in a folder; ``step`` as `fleet_driver` has it."""
    # Ray's workers stand back for all else that a machine does (by 15), which is not measured here.
    environment = os.environ | {_MARK: str(os.getpid()), "RAY_worker_niceness": "0"}
    command = [sys.executable, _DRIVER, engine, workers, folder / "plan", out, bundle, *step]
    with (folder / "errors").open("ab") as errors:
        return subprocess.Popen(
            list(map(str, command)),
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )


def await_success(job: subprocess.Popen[bytes], timeout_s: float = PATIENCE_S) -> None:
    if job.wait(timeout_s) != 0:
        raise RuntimeError(f"a driver ended with {job.returncode}")


def await_end_of_all() -> None:
    """No process may outlive its driver for long."""
    deadline = time.monotonic() + PATIENCE_S
    while list(started()):
        if time.monotonic() > deadline:
            raise RuntimeError("processes outlive their driver")
        time.sleep(0.05)


def end(job: subprocess.Popen[bytes]) -> None:
    """End a driver, whatever it does, and all that it has started."""
    job.kill()
    job.wait(60)
    for pid in started():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def n_parts(out: Path) -> int:
    return len(list(out.glob("part-*.parquet")))


def started() -> Iterator[int]:
    """Processes that a driver of this test has started, and it itself."""
    mark = f"{_MARK}={os.getpid()}".encode()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and folder.name != str(os.getpid()):
            with suppress(OSError):
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    yield int(folder.name)


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def used_s(pid: int) -> float:
    """Seconds of processor that a process has taken (OSError: it is gone)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def may_report(job: subprocess.Popen[bytes]) -> set[str]:
    """Processes that were not told to keep their usage to themselves."""
    talking = set()
    for pid in started():
        with suppress(OSError):
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            if pid != job.pid and b"RAY_USAGE_STATS_ENABLED=0" not in environment:
                talking.add(command(pid))
    return talking


def remote_addresses() -> set[str]:
    """Where the processes are connected to beyond this machine, as /proc shows it."""
    sockets = set()
    for pid in started():
        with suppress(OSError):
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    target = str(descriptor.readlink())
                    if target.startswith("socket:["):
                        sockets.add(target[8:-1])
    local, remote = set(), {}
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            columns = line.split()
            here, there = (_address(column.partition(":")[0]) for column in columns[1:3])
            local.add(here)
            if columns[9] in sockets and there.packed.strip(b"\0"):
                remote[there] = here
    # What talks with itself has an own address at both ends. Ray asks the cloud that a machine may
    # lie in what kind of machine it is: that address leads nowhere else.
    return {str(there) for there in remote if there not in local and not there.is_link_local}


def _address(digits: str) -> IPv4Address | IPv6Address:
    """What /proc writes as words of 32 bits in the machine's own order of bytes."""
    words = [bytes.fromhex(digits[i : i + 8])[::-1] for i in range(0, len(digits), 8)]
    address = ip_address(b"".join(words))
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
