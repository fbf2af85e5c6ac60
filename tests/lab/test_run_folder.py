"""A path that is no run is known before torch is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_a_path_that_is_no_run_is_said_before_torch_is_loaded(tmp_path: Path) -> None:
    code = """
import sys
from genrescope.cli import app
try:
    app(["evaluate", "--run", sys.argv[1], "--data", "nowhere"], prog_name="genrescope")
finally:
    print("torch" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=300
    )
    assert "is no run of genrescope train" in done.stderr
    assert done.stdout.split() == ["False"]
