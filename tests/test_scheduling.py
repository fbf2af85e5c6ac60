"""Tests that share what is dear to make run in one process."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from scheduling import FIRST, TOGETHER, group_of, rank_of

TESTS = Path(__file__).parent


def test_a_room_or_a_file_is_a_group() -> None:
    assert group_of("tests/library/tags/test_plan.py::test_a[b/c::d]") == "library"
    assert group_of("tests/lab/export/test_bundle.py::test_a") == "lab/export"
    assert group_of("tests/lab/test_metrics.py::test_a") == "lab/test_metrics.py"
    assert group_of("tests/test_house.py::test_a") == "test_house.py"


def test_the_rooms_are_there_and_the_longest_first() -> None:
    assert all((TESTS / room).is_dir() for room in TOGETHER)
    assert all(list(TESTS.glob(f"{start}*")) for start in FIRST)
    ids = [f"tests/{name}::test" for name in ("cli/test_a.py", "e2e/test_a.py", "audio/test_a.py")]
    assert [rank_of(nodeid) for nodeid in ids] == [0, FIRST.index("e2e/"), len(FIRST)]


@pytest.mark.slow
def test_two_processes_have_no_file_in_common() -> None:
    files = ("features/test_mel.py", "features/test_silence.py", "audio/test_waveform.py")
    command = [sys.executable, "-m", "pytest", "-vv", "-p", "no:cacheprovider"]
    command += ["--numprocesses", "2", "--dist", "loadgroup", *(str(TESTS / f) for f in files)]
    done = subprocess.run(
        command, cwd=TESTS.parent, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout
    processes = defaultdict(set)
    for process, file in re.findall(r"^\[(gw\d)\].* PASSED tests/(\S+?)::", done.stdout, re.M):
        processes[file].add(process)
    assert processes.keys() == set(files)
    assert {len(which) for which in processes.values()} == {1}
    assert len(set.union(*processes.values())) == 2
