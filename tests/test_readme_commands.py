"""The README's commands, run as a new user would: in a clone of this repository."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

ELSEWHERE = {
    "make run": "its set-up is what `make lint` and `make test` of .ci/run begin with",
    "make test": ".ci/run",
    "make bench BENCH='--repeats 3'": "tests/bench; it takes long",
    "pip install .": "release.yml installs the wheel; it needs the network",
    "pipx install .": "as pip install",
    "pip install '.[library]'": "as pip install",
    "genrescope serve": "tests/cli/test_serve.py; it does not end by itself",
    "genrescope reproduce": "tests/cli/test_reproduce.py; it takes hours and needs GTZAN",
    "genrescope library": "tests/cli/test_library.py; named here without a verb of its own",
    "genrescope fleet": "tests/cli/test_fleet.py; named here without a verb of its own",
    "explain song.mp3 --out why": "run below as genrescope explain",
    "curl -F file=@song.mp3 http://127.0.0.1:8000/api/v1/classify": "tests/web/test_api.py",
}
"""Commands that are not run here -> where they are."""


def commands() -> set[str]:
    """Every shell command of the README, in fences and in sentences."""
    fenced = re.findall(r"^```\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    lines = [line for block in fenced for line in block.splitlines()]
    found = {re.split(r"\s+# ", line)[0].strip().removeprefix("$ ") for line in lines}
    prose = re.sub(r"^```.*?^```", "", README, flags=re.DOTALL | re.MULTILINE)
    found |= {" ".join(words.split()) for words in re.findall(r"`([^`]+)`", prose)}
    first = ("make", "pip", "pipx", "genrescope", ".venv/bin/genrescope", "curl", "explain")
    return {words for words in found if words.partition(" ")[0] in first and " " in words}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("needs git, and a clone to make another of")
    folder = tmp_path_factory.mktemp("clone") / "genrescope"
    subprocess.run(
        [git, "clone", "-q", "--depth", "1", f"file://{ROOT}", folder], check=True, timeout=300
    )
    return folder


def run(clone: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(clone)}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=clone, env=environment, capture_output=True,
        text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_command_is_run_or_named_with_where_it_is() -> None:
    here = {words for words in commands() if words.startswith(".venv/bin/genrescope ")}
    assert here
    assert commands() - here == set(ELSEWHERE)


@pytest.mark.parametrize("target", ["run", "test"])
def test_make_says_that_it_sets_up(target: str) -> None:
    make = shutil.which("make")
    if make is None:
        pytest.skip("needs make")
    done = subprocess.run(
        [make, "--dry-run", "--always-make", "--directory", ROOT, target],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    before, _, _ = done.stdout.partition("pip install")
    assert "Setting up" in before


@pytest.mark.slow
def test_the_commands_work_in_a_new_clone(clone: Path) -> None:
    for words in sorted(commands()):
        if words.startswith(".venv/bin/"):
            out = run(clone, *shlex.split(words.removeprefix(".venv/bin/")))
            assert "genrescope/samples/disco.ogg" in out
    song = clone / "genrescope/samples/metal.ogg"
    shutil.copy(song, clone / "song.ogg")
    assert "metal" in run(clone, "genrescope", "explain", "song.ogg", "--out", "why")
    assert (clone / "why/what-decided.wav").stat().st_size > 10_000


@pytest.mark.slow
def test_the_python_of_the_readme_works_in_a_new_clone(clone: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    sample = str(clone / "genrescope/samples/disco.ogg")
    done = subprocess.run(
        [sys.executable, "-c", code.replace("song.mp3", sample)], cwd=clone, check=True,
        env={**os.environ, "PYTHONPATH": str(clone)}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.stdout.startswith("disco ")
