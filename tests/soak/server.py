"""The server as it is run: a process of its own, on a free port of this machine."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Server:
    """A running server: where it answers, its process number, and the memory it had (MB)."""

    url: str
    pid: int
    memory_mb: list[float] = field(default_factory=list)


@contextmanager
def served(
    bundle: Path, *, log: Path, sample_s: float = 0.25, memory_mb: int | None = None
) -> Iterator[Server]:
    """``genrescope serve``, its memory read every ``sample_s``, its log in a file.

    Raises:
        RuntimeError: it does not start, ends unasked, or does not stop in good order.
    """
    command = [sys.executable, "-u", "-m", "genrescope", "serve", "--port", "0"]
    command += [] if memory_mb is None else ["--memory-mb", str(memory_mb)]
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*command, "--bundle", str(bundle)], stdout=subprocess.PIPE, stderr=errors, text=True
        )
    ended = threading.Event()
    try:
        assert process.stdout is not None
        address = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        if address is None:
            raise RuntimeError(f"the server did not start: {log.read_text()}")
        server = Server(address[0], process.pid)
        sampler = threading.Thread(target=_sample, args=(server, ended, sample_s))
        sampler.start()
        yield server
        ended.set()
        sampler.join(60)
        if process.poll() is not None:
            raise RuntimeError(f"the server ended unasked, with status {process.returncode}")
        process.terminate()
        if process.wait(60) not in (0, -15):
            raise RuntimeError(f"the server ended with status {process.returncode}")
    finally:
        ended.set()
        process.kill()
        process.wait(60)
        assert process.stdout is not None
        process.stdout.close()


def resident_mb(pid: int) -> float:
    """Memory of a process and of those it has started, in MB; shared pages count once."""
    if not Path("/proc/self/status").exists():
        done = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, timeout=300
        )
        return int(done.stdout) / 2**10
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        own = next(line for line in rollup.splitlines() if line.startswith("Pss:"))
        threads = [path / "children" for path in Path(f"/proc/{pid}/task").iterdir()]
        children = [int(child) for path in threads for child in path.read_text().split()]
    except (OSError, StopIteration):  # it has just ended
        return 0.0
    return int(own.split()[1]) / 2**10 + sum(map(resident_mb, children))


def _sample(server: Server, ended: threading.Event, every_s: float) -> None:
    while not ended.wait(every_s):
        server.memory_mb.append(resident_mb(server.pid))
