"""A run of many shards whose driver, workers and scheduler are killed, and must end as if not."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import numpy as np
from fleet_makers import parts, write_csv

from genrescope.fleet.plan import write_plan

_DRIVER = Path(__file__).parents[1] / "fleet_driver.py"
_MARK = "GENRESCOPE_FLEET_TEST"  # in the environment of all that a driver starts
_PATIENCE_S = 120.0

# What the processes of an engine are called; a driver has none of these names.
WORKERS = {"local": "spawn_main", "ray": "ray::"}
VICTIMS = {"local": ("driver", "worker"), "ray": ("driver", "worker", "raylet")}


@dataclass
class Disturbance:
    """What became of the run.

    Attributes:
        kills: by who was killed.
        n_songs: in the plan.
        again: songs that were answered for more than once.
        most_again: how many may have been: the shards that were held by who was killed.
        same: whether the parts are, byte by byte, those of an undisturbed run.
        reported: addresses of other machines that one of the processes was connected to.
        may_report: Ray's processes that were not told to keep their usage to themselves.
    """

    kills: Counter[str] = field(default_factory=Counter)
    n_songs: int = 0
    again: int = 0
    most_again: int = 0
    same: bool = False
    reported: set[str] = field(default_factory=set)
    may_report: set[str] = field(default_factory=set)


def disturb_fleet(
    bundle: Path,
    folder: Path,
    *,
    engine: str,
    n_songs: int,
    n_kills: int,
    shard_size: int,
    workers: int = 2,
    pause_s: float = 0.001,
    seed: int = 0,
) -> Disturbance:
    """Kill a run of a step that does nothing ``n_kills`` times, and end it.

    Args:
        pause_s: what a song takes, so that the run is not over before it was killed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plan = write_plan(
        str(write_csv(folder / "songs.csv", n_songs)), folder / "plan", shard_size=shard_size
    )
    once, often, log = folder / "once", folder / "often", folder / "log"
    slow = (str(pause_s), str(log))
    undisturbed = _start(folder, "local", workers, once, bundle)
    _ended(undisturbed)
    found = Disturbance(n_songs=n_songs)
    rng = np.random.default_rng(seed)
    job = _start(folder, engine, workers, often, bundle, *slow)
    try:
        for i in range(n_kills):
            wanted = len(plan.shards) * (i + 1) // (n_kills + 2)
            _await_parts(often, max(wanted, _n_parts(often) + 1), job, found)
            time.sleep(float(rng.uniform(0, 0.3)))
            victim = VICTIMS[engine][i % len(VICTIMS[engine])]
            if not _kill(victim, engine, job, rng):
                continue  # it was over, or between two workers
            found.kills[victim] += 1
            found.most_again += shard_size * (1 if victim == "worker" else workers)
            if victim != "worker":
                job.wait(_PATIENCE_S)
                _await_end_of_all()
                job = _start(folder, engine, workers, often, bundle, *slow)
        while job.poll() is None:
            found.reported |= _remote_addresses()
            found.may_report |= _may_report(job)
            time.sleep(0.2)
        _ended(job)
    finally:
        job.kill()
        job.wait(60)
        for pid in _started():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    found.again = len(log.read_text().splitlines()) - n_songs
    found.same = parts(often) == parts(once)
    shutil.rmtree(folder / "plan")
    return found


def _start(
    folder: Path, engine: str, workers: int, out: Path, bundle: Path, *slow: str
) -> subprocess.Popen[bytes]:
    environment = os.environ | {_MARK: str(os.getpid())}
    command = [sys.executable, _DRIVER, engine, workers, folder / "plan", out, bundle, *slow]
    with (folder / "errors").open("ab") as errors:
        return subprocess.Popen(
            list(map(str, command)),
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )


def _ended(job: subprocess.Popen[bytes]) -> None:
    if job.wait(_PATIENCE_S) != 0:
        raise RuntimeError(f"a driver ended with {job.returncode}")


def _await_parts(out: Path, wanted: int, job: subprocess.Popen[bytes], found: Disturbance) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while _n_parts(out) < wanted and job.poll() is None:
        if time.monotonic() > deadline:
            raise RuntimeError(f"no progress: {wanted} shards were waited for")
        found.reported |= _remote_addresses()
        time.sleep(0.02)


def _n_parts(out: Path) -> int:
    return len(list(out.glob("part-*.parquet")))


def _kill(victim: str, engine: str, job: subprocess.Popen[bytes], rng: np.random.Generator) -> bool:
    if job.poll() is not None:
        return False
    if victim == "driver":
        job.kill()
        return True
    name = WORKERS[engine] if victim == "worker" else "/raylet/raylet"
    pids = [pid for pid in _started() if name in _command(pid)]
    if victim == "worker" and engine == "ray":  # Ray keeps idle ones as well
        pids = [pid for pid in pids if "_Worker" in _command(pid)]
    if not pids:
        return False
    with suppress(ProcessLookupError):
        os.kill(int(rng.choice(pids)), signal.SIGKILL)
        return True
    return False


def _started() -> Iterator[int]:
    """Processes that a driver of this test has started, and it itself."""
    mark = f"{_MARK}={os.getpid()}".encode()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and folder.name != str(os.getpid()):
            with suppress(OSError):
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    yield int(folder.name)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def _await_end_of_all() -> None:
    """No process may outlive its driver for long."""
    deadline = time.monotonic() + _PATIENCE_S
    while list(_started()):
        if time.monotonic() > deadline:
            raise RuntimeError("processes outlive their driver")
        time.sleep(0.05)


def _may_report(job: subprocess.Popen[bytes]) -> set[str]:
    talking = set()
    for pid in _started():
        with suppress(OSError):
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            if pid != job.pid and b"RAY_USAGE_STATS_ENABLED=0" not in environment:
                talking.add(_command(pid))
    return talking


def _remote_addresses() -> set[str]:
    """Where the processes are connected to beyond this machine, as /proc shows it."""
    sockets = set()
    for pid in _started():
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
