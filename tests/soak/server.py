"""The server as it is run: a process of its own, on a free port of this machine."""

from __future__ import annotations

import os
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
def served(bundle: Path, *, log: Path, sample_s: float = 0.25) -> Iterator[Server]:
    """``genrescope serve``, its memory read every ``sample_s``, its log in a file.

    Raises:
        RuntimeError: it does not start, ends unasked, or does not stop in good order.
    """
    command = [sys.executable, "-u", "-m", "genrescope", "serve", "--port", "0"]
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
        sampler.join()
        if process.poll() is not None:
            raise RuntimeError(f"the server ended unasked, with status {process.returncode}")
        process.terminate()
        if process.wait(60) not in (0, -15):
            raise RuntimeError(f"the server ended with status {process.returncode}")
    finally:
        ended.set()
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def resident_mb(pid: int) -> float:
    """Memory of a process, in MB."""
    status = Path(f"/proc/{pid}/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    done = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True)
    return int(done.stdout) / 2**10


def _sample(server: Server, ended: threading.Event, every_s: float) -> None:
    while not ended.wait(every_s):
        server.memory_mb.append(resident_mb(server.pid))
