"""The worker's side of the pipe, spoken to byte by byte."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from genrescope.sandbox_worker import REPLY_HEAD, REQUEST_HEAD

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="speaks through a socket")

MB = 2**20
CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from genrescope.sandbox_worker import work; work()"
)


class Worker:
    """A process that does jobs of `sandbox_handlers`, and the parent's end of its pipe."""

    def __init__(self, factory: str) -> None:
        self._channel, theirs = socket.socketpair()
        paths = json.dumps([*sys.path, str(Path(__file__).parent)])
        arguments = [paths, f"sandbox_handlers:{factory}", "{}", str(64 * MB), "0"]
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", CODE, *arguments],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        theirs.close()

    def send(
        self, options: dict[str, Any], data: bytes = b"", descriptor: int | None = None
    ) -> None:
        header = {"options": options, "seconds": None, "file": descriptor is not None}
        text = json.dumps(header).encode()
        self._channel.sendall(REQUEST_HEAD.pack(len(text), len(data)) + text)
        if descriptor is not None:
            socket.send_fds(self._channel, [b"f"], [descriptor])
        self._channel.sendall(data)

    def header(self) -> Any:
        (n_bytes,) = REPLY_HEAD.unpack(self.read(REPLY_HEAD.size))
        return json.loads(self.read(n_bytes))

    def read(self, n_bytes: int) -> bytes:
        assert self.process.stdout is not None
        data: bytes = self.process.stdout.read(n_bytes)
        return data

    def end_of_input(self) -> int:
        self._channel.close()
        return self.process.wait(60)

    def close(self) -> None:
        self._channel.close()
        self.process.kill()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process.wait(60)


@pytest.fixture
def worker() -> Iterator[Worker]:
    running = Worker("do")
    yield running
    running.close()


def test_it_first_says_what_confines_it_and_then_does_job_after_job(worker: Worker) -> None:
    assert set(worker.header()) == {"holds"}
    for data in (b"abc", b""):
        worker.send({"task": "echo"}, data)
        assert worker.header() == {
            "facts": {"greeting": "hello"},
            "arrays": [["uint8", [len(data)]], ["float32", [1, len(data)]]],
        }
        assert worker.read(5 * len(data))[: len(data)] == data
    assert worker.end_of_input() == 0


def test_a_file_that_is_passed_is_read_from_its_beginning(worker: Worker, tmp_path: Path) -> None:
    (tmp_path / "song").write_bytes(b"music")
    worker.header()
    with (tmp_path / "song").open("rb") as file:
        file.seek(3)
        worker.send({"task": "echo"}, descriptor=file.fileno())
        assert worker.header()["arrays"][0] == ["uint8", [5]]
        assert worker.read(25)[:5] == b"music"


def test_what_a_library_prints_is_not_among_the_replies(worker: Worker) -> None:
    worker.header()
    worker.send({"task": "print"})
    assert worker.header() == {"facts": {"printed": True}, "arrays": []}


def test_an_error_of_a_job_is_a_reply_and_the_next_job_is_done(worker: Worker) -> None:
    worker.header()
    worker.send({"task": "refuse"})
    assert worker.header() == {"error": ["AudioTooLongError", "song", "it is too long", "Cut it."]}
    worker.send({"task": "fault"})
    assert worker.header() == {"error": ["KeyError", "'missing'"]}
    worker.send({"task": "echo"})
    assert "facts" in worker.header()


def test_a_factory_that_refuses_is_a_fault_in_words() -> None:
    worker = Worker("fails_to_start")
    try:
        assert worker.header() == {"fault": "there is nothing to work with"}
        assert worker.process.wait(60) == 0
    finally:
        worker.close()
