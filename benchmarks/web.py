"""From upload to answer for one browser recording, against PyAV decoding it alone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path

from benchmarks.harness import Measure, Row, Session, compare, in_turn, workers
from benchmarks.material import recordings

_BOUNDARY = "--------genrescope"


def measure(session: Session) -> Iterator[Row]:
    (file,) = recordings(session, session.seconds, ending="webm")
    with ExitStack() as stack:
        port, pid = stack.enter_context(_server(session))
        sides = workers(stack, session, pyav=("benchmarks.ours:pyav", {"files": [file]}))
        sides["ours"] = _upload(port, pid, Path(file).read_bytes())
        found = in_turn(sides, repeats=2 * session.repeats)
    yield compare(
        found,
        figure="web",
        what=f"upload one webm (opus) of {session.seconds:g} s and get the answer",
        other="pyav",
        other_name="PyAV decoding it alone, nothing kept",
        goal="<= 1.4",
        note="the server is running; one request at a time",
    )


@contextmanager
def _server(session: Session) -> Iterator[tuple[int, int]]:
    """Port and process of a running server."""
    server = subprocess.Popen(
        session.genrescope("serve", "--port", "0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=session.environment() | {"PYTHONUNBUFFERED": "1"},
        text=True,
    )
    assert server.stdout is not None
    try:
        address = re.search(r"http://127\.0\.0\.1:(\d+)", server.stdout.readline())
        if address is None:
            raise RuntimeError("the server did not start")
        _wait_until_warm(int(address[1]))
        yield int(address[1]), server.pid
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def _wait_until_warm(port: int) -> None:
    """A new server first loads what polishing needs, beside its first requests."""
    for _ in range(600):
        connection = HTTPConnection("127.0.0.1", port, timeout=120)
        connection.request("GET", "/metrics")
        metrics = connection.getresponse().read().decode()
        connection.close()
        if re.search(r"^\S*polishing_jobs 0", metrics, re.MULTILINE):
            return
        time.sleep(0.1)
    raise RuntimeError("the server does not come to rest")


def _upload(port: int, pid: int, recording: bytes) -> Callable[[], Measure]:
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="take.webm"\r\n'
        "Content-Type: audio/webm\r\n\r\n"
    )
    body = head.encode() + recording + f"\r\n--{_BOUNDARY}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}

    def run() -> Measure:
        cpu, wall = _cpu_s(pid), time.perf_counter()
        connection = HTTPConnection("127.0.0.1", port, timeout=120)
        connection.request("POST", "/api/v1/classify", body, kind)
        answer = connection.getresponse()
        reply = answer.read()
        connection.close()
        wall = time.perf_counter() - wall
        if answer.status != 200:
            raise RuntimeError(f"the server answered {answer.status}: {reply[:300]!r}")
        return Measure(wall, _cpu_s(pid) - cpu, value=json.loads(reply)["duration_s"])

    return run


def _cpu_s(pid: int) -> float:
    """Processor time of a process: its CPU clock, by Linux's numbering of clocks."""
    return time.clock_gettime((~pid << 3) | 2) if sys.platform == "linux" else float("nan")
