"""A result names the code that made it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import genrescope
from genrescope.lab.provenance import commit


@pytest.mark.slow
def test_the_commit_is_that_of_the_package_s_own_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@y.z"]
        answer = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, check=True, timeout=300
        )
        return answer.stdout.strip()

    def commit_of(package: Path) -> str:
        monkeypatch.setattr(genrescope, "__file__", str(package / "__init__.py"))
        return commit.__wrapped__()

    own, inside = tmp_path / "genrescope", tmp_path / "venv" / "genrescope"
    for package in (own, inside):
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
    assert commit_of(own) == ""
    git("init", "-b", "main")
    assert commit_of(own) == ""
    git("add", ".")
    git("commit", "-m", "x")
    assert commit_of(own) == git("rev-parse", "HEAD")
    assert commit_of(inside) == ""
    (own / "__init__.py").write_text("x = 1\n")
    assert commit_of(own) == git("rev-parse", "HEAD") + ", with changes"
    (own / "__init__.py").write_text("")
    git("switch", "-c", "idea")
    assert commit_of(own) == git("rev-parse", "HEAD")
    git("commit", "--allow-empty", "-m", "y")
    assert commit_of(own) == git("rev-parse", "HEAD") + ", on a branch"
    git("branch", "-f", "main")
    assert commit_of(own) == git("rev-parse", "HEAD")
    monkeypatch.setenv("PATH", "")
    assert commit_of(own) == ""
