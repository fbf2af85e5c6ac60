"""Processes that crash, hang, grow, lie and try to get out."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from genrescope.confinement import FENCES, FILES, MEMORY, NETWORK
from genrescope.errors import AudioTooLongError, GenrescopeError
from genrescope.sandbox import JobError, JobTimeoutError, Sandbox

MB = 2**20

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="dies by POSIX signals")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    running = Sandbox(
        "sandbox_handlers:do", {"greeting": "good day"}, processes=1, memory_bytes=64 * MB
    )
    running.start()
    yield running
    running.close()


def pid(sandbox: Sandbox) -> int:
    found = sandbox.run(b"", {"task": "process"}).facts["pid"]
    assert isinstance(found, int)
    return found


def needs(fence: str, sandbox: Sandbox) -> None:
    if fence not in sandbox.fences():
        pytest.skip(f"this system cannot keep a process from: {fence}")


def test_bytes_and_files_get_there_and_arrays_come_back(sandbox: Sandbox, tmp_path: Path) -> None:
    data = bytes(range(256)) * 4_000
    path = tmp_path / "file"
    path.write_bytes(data)
    with path.open("rb") as file:
        replies = [
            sandbox.run(source, {"task": "echo"}) for source in (data, file, memoryview(data))
        ]
    for reply in replies:
        assert reply.facts == {"greeting": "good day"}
        copy, floats = reply.arrays
        assert copy.tobytes() == data
        assert (floats.dtype, floats.shape) == (np.float32, (1, len(data)))
    empty = sandbox.run(b"", {"task": "echo"})
    assert [array.size for array in empty.arrays] == [0, 0]


def test_one_process_does_job_after_job(sandbox: Sandbox) -> None:
    assert pid(sandbox) == pid(sandbox) != os.getpid()


def test_a_crash_ends_one_job_and_the_next_has_a_new_process(sandbox: Sandbox) -> None:
    before = pid(sandbox)
    with pytest.raises(JobError, match=r"it crashed the decoder \(Segmentation fault\)"):
        sandbox.run(b"", {"task": "crash"})
    assert pid(sandbox) != before


@pytest.mark.slow
@pytest.mark.parametrize("task", ["sleep", "spin"])
def test_what_never_ends_is_ended(sandbox: Sandbox, task: str) -> None:
    before = pid(sandbox)
    with pytest.raises(JobTimeoutError, match=r"it took more than 0\.[45]"):
        sandbox.run(b"", {"task": task}, deadline=time.monotonic() + 0.5)
    assert pid(sandbox) != before


@pytest.mark.slow
def test_what_is_ended_late_on_a_busy_machine_was_ended_for_its_time(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid(sandbox)  # it is warm
    wait = subprocess.Popen.wait

    def slow(process: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        if timeout is not None:
            raise subprocess.TimeoutExpired("worker", timeout)
        return wait(process)

    monkeypatch.setattr(subprocess.Popen, "wait", slow)
    with pytest.raises(JobTimeoutError):
        sandbox.run(b"", {"task": "sleep"}, deadline=time.monotonic() + 0.5)


@pytest.mark.slow
def test_who_waits_for_a_process_waits_no_longer_than_the_deadline(sandbox: Sandbox) -> None:
    def occupy() -> None:
        with pytest.raises(JobTimeoutError):
            sandbox.run(b"", {"task": "sleep"}, deadline=time.monotonic() + 1.5)

    busy = threading.Thread(target=occupy)
    busy.start()
    while not sandbox._idle.empty():
        time.sleep(0.01)
    with pytest.raises(JobTimeoutError, match="no free process"):
        sandbox.run(b"", {"task": "echo"}, deadline=time.monotonic() + 0.05)
    busy.join(60)


def test_memory_is_bounded(sandbox: Sandbox) -> None:
    needs(MEMORY, sandbox)
    assert sandbox.run(b"", {"task": "grow", "mb": 32}).facts == {"mb": 32}
    with pytest.raises(JobError, match="more memory"):
        sandbox.run(b"", {"task": "grow", "mb": 100})
    assert pid(sandbox)


@pytest.mark.slow
def test_errors_come_back_as_they_were(sandbox: Sandbox) -> None:
    with pytest.raises(AudioTooLongError) as caught:
        sandbox.run(b"", {"task": "refuse"})
    assert (caught.value.name, caught.value.remedy) == ("song", "Cut it.")
    with pytest.raises(RuntimeError, match="KeyError: 'missing'"):
        sandbox.run(b"", {"task": "fault"})
    with pytest.raises(JobError, match="nonsense"):  # no array of numbers
        sandbox.run(b"", {"task": "object"})


def framed(header: object) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("=I", len(text)) + text


@pytest.mark.slow
@pytest.mark.parametrize(
    "reply",
    [
        b"\xff\xff\xff\xff",
        b"\x04\x00\x00\x00nope",
        framed([]),
        framed({}),
        framed({"facts": {}}),
        framed({"facts": [], "arrays": 3}),
        framed({"facts": {}, "arrays": [["object", [1]]]}),
        framed({"facts": {}, "arrays": [["float64", [2**40]]]}),
        framed({"facts": {}, "arrays": [["float64", [-1]]]}),
        framed({"facts": {}, "arrays": [["float64", ["x"]]]}),
        struct.pack("=I", 200_000) + b"[" * 200_000,
    ],
)
def test_a_process_that_was_taken_over_cannot_do_more_than_end(
    sandbox: Sandbox, reply: bytes
) -> None:
    before = pid(sandbox)
    with pytest.raises(JobError):
        sandbox.run(reply, {"task": "say", "stay": True}, deadline=time.monotonic() + 20)
    assert pid(sandbox) != before


def test_a_reply_that_breaks_off_is_no_reply(sandbox: Sandbox) -> None:
    broken = framed({"facts": {}, "arrays": [["uint8", [1_000]]]}) + b"abc"
    with pytest.raises(JobError, match="exit code 0"):
        sandbox.run(broken, {"task": "say", "stay": False})


@pytest.mark.slow
def test_its_errors_are_texts_whatever_it_sends(sandbox: Sandbox) -> None:
    for error in (["AudioError", "a"], ["SystemExit", "x"], {"a": 1}, "text", [], 0):
        pid(sandbox)  # and one that died after its answer costs nobody else theirs
        (answering,) = sandbox._all
        with pytest.raises(RuntimeError):
            sandbox.run(framed({"error": error}), {"task": "say", "stay": False})
        answering._process.wait(20)
    pid(sandbox)


def test_it_opens_no_file_but_pythons_own(sandbox: Sandbox, tmp_path: Path) -> None:
    needs(FILES, sandbox)
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    with pytest.raises(RuntimeError, match="PermissionError"):
        sandbox.run(b"", {"task": "open", "path": str(secret)})
    assert sandbox.run(b"", {"task": "import"}).facts == {"module": "wave"}


def test_it_writes_no_file(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"OSError|PermissionError"):
        sandbox.run(b"", {"task": "write", "path": str(tmp_path / "new")})
    assert not (tmp_path / "new").exists() or (tmp_path / "new").stat().st_size == 0


def test_it_reaches_no_network_and_no_process(sandbox: Sandbox) -> None:
    needs(NETWORK, sandbox)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(RuntimeError, match="PermissionError"),
    ):
        sandbox.run(b"", {"task": "connect", "port": server.getsockname()[1]})
    for task in ("program", "stop"):
        with pytest.raises(RuntimeError, match="PermissionError"):
            sandbox.run(b"", {"task": task})


def test_it_knows_nothing_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("A_SECRET", "x")
    running = Sandbox("sandbox_handlers:do", {}, processes=1, memory_bytes=MB)
    try:
        assert "A_SECRET" not in running.run(b"", {"task": "process"}).facts["environment"]
    finally:
        running.close()


@pytest.mark.parametrize(
    ("factory", "words"),
    [("fails_to_start", "there is nothing to work with"), ("dies_at_the_start", "exit code 3")],
)
def test_what_cannot_start_says_why(factory: str, words: str) -> None:
    running = Sandbox(f"sandbox_handlers:{factory}", {}, processes=1, memory_bytes=MB)
    try:
        for _ in range(2):
            with pytest.raises(GenrescopeError, match=words):
                running.run(b"")
    finally:
        running.close()


@pytest.mark.slow
def test_closing_ends_what_is_under_way() -> None:
    running = Sandbox("sandbox_handlers:do", {}, processes=2, memory_bytes=MB)
    errors: list[Exception] = []

    def work() -> None:
        try:
            running.run(b"", {"task": "sleep"})
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    running.start()
    for thread in threads:
        thread.start()
    while not running._idle.empty():
        time.sleep(0.01)
    time.sleep(0.2)
    running.close()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert [isinstance(error, GenrescopeError) for error in errors] == [True, True]
    assert not running._all or all(not process.alive for process in running._all)


def test_a_pipe_is_read_and_sent_as_bytes(sandbox: Sandbox) -> None:
    ours, theirs = os.pipe()
    os.write(theirs, b"from a pipe")
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        assert sandbox.run(pipe, {"task": "echo"}).arrays[0].tobytes() == b"from a pipe"


def test_the_fences_have_names(sandbox: Sandbox) -> None:
    assert set(sandbox.fences()) <= set(FENCES)
