"""What every user of the sandbox's decoders has in common."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from genrescope.audio.isolation import ask
from genrescope.errors import AudioError, AudioTooLongError
from genrescope.sandbox import JobError, JobTimeoutError, Sandbox

MB = 2**20

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="dies by POSIX signals")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    running = Sandbox("sandbox_handlers:do", {}, processes=1, memory_bytes=64 * MB)
    yield running
    running.close()


def test_a_path_is_opened_here_and_its_bytes_alone_go_there(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    path = tmp_path / "song"
    path.write_bytes(b"some bytes")
    for source in (path, str(path), b"some bytes"):
        assert ask(sandbox, source, {"task": "echo"}).arrays[0].tobytes() == b"some bytes"


def test_what_ends_the_process_is_the_recordings_own_fault(sandbox: Sandbox) -> None:
    with pytest.raises(AudioError, match="song: it crashed the decoder") as caught:
        ask(sandbox, b"", {"task": "crash"}, name="song")
    assert isinstance(caught.value.__cause__, JobError)
    with pytest.raises(AudioError, match="song: it needs more memory"):
        ask(sandbox, b"", {"task": "grow", "mb": 100}, name="song")


@pytest.mark.slow
def test_refusals_and_deadlines_come_back_as_they_were(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(AudioTooLongError):
        ask(sandbox, b"", {"task": "refuse"})
    with pytest.raises(JobTimeoutError):
        ask(sandbox, b"", {"task": "sleep"}, deadline=time.monotonic() + 0.3)
    with pytest.raises(AudioError, match="no such file"):
        ask(sandbox, tmp_path / "gone", {"task": "echo"})
