"""What a process takes from itself is gone for the rest of its life."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any

import pytest

from genrescope.confinement import FENCES, FILES, MEMORY, NETWORK

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="confines by POSIX")

TRY_ALL = """
import json, os, socket, sys
from pathlib import Path
from genrescope.confinement import confine

folder = Path(sys.argv[1])
attempts = {
    "open": lambda: (folder / "open" / "file").read_text(),
    "closed": lambda: (folder / "closed").read_text(),
    "write": lambda: (folder / "open" / "new").write_text("x"),
    "little memory": lambda: len(bytearray(2**20)),
    "much memory": lambda: len(bytearray(2**28)),
    "socket": lambda: socket.socket().fileno() > 0,
    "program": lambda: os.execv("/bin/true", ["true"]),
    "signal": lambda: os.kill(os.getppid(), 0),
}
found = {"holds": confine(memory_bytes=2**26, readable=[str(folder / "open")])}
if "network" not in found["holds"]:
    del attempts["program"]  # which would replace this one
for name, attempt in attempts.items():
    try:
        found[name] = attempt()
    except (OSError, MemoryError) as error:
        found[name] = type(error).__name__
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def confined(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a confined process could still do."""
    folder = tmp_path_factory.mktemp("confined")
    (folder / "open").mkdir()
    (folder / "open" / "file").write_text("for all")
    (folder / "closed").write_text("the secret")
    done = subprocess.run(
        [sys.executable, "-c", TRY_ALL, str(folder)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def _needs(fence: str, confined: dict[str, Any]) -> None:
    if fence not in confined["holds"]:
        pytest.skip(f"this system cannot keep a process from: {fence}")


def test_it_tells_which_fences_hold(confined: dict[str, Any]) -> None:
    assert set(confined["holds"]) <= set(FENCES)
    if sys.platform == "linux":
        assert MEMORY in confined["holds"]


def test_files_are_closed_but_for_those_that_stay_readable(confined: dict[str, Any]) -> None:
    _needs(FILES, confined)
    assert confined["open"] == "for all"
    assert confined["closed"] == "PermissionError"


def test_nothing_is_written(confined: dict[str, Any]) -> None:
    assert confined["write"] in ("OSError", "PermissionError")


def test_memory_is_bounded_beyond_what_it_had(confined: dict[str, Any]) -> None:
    _needs(MEMORY, confined)
    assert confined["little memory"] == 2**20
    assert confined["much memory"] == "MemoryError"


def test_it_reaches_no_network_and_no_other_process(confined: dict[str, Any]) -> None:
    _needs(NETWORK, confined)
    for attempt in ("socket", "program", "signal"):
        assert confined[attempt] == "PermissionError"


@pytest.mark.slow
def test_the_system_ends_what_uses_up_its_time_of_the_processor() -> None:
    code = (
        "from genrescope.confinement import limit_processor\nlimit_processor(0.1)\nwhile True: pass"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=120)
    assert -done.returncode in (signal.SIGXCPU, signal.SIGKILL)
