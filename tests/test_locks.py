"""The locks hold what constraints.txt says, with a hash for everything."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def name_of(requirement: str) -> str:
    return re.split(r"[\s\[<>=!~;]", requirement)[0].lower().replace("_", "-").replace(".", "-")


def pins(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text().replace("\\\n", " ")
    lines = [
        line for line in text.splitlines() if "==" in line and not line.lstrip().startswith("#")
    ]
    return {name_of(line): line.partition("==")[2].strip() for line in lines}


@pytest.fixture(scope="module")
def project() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_lock_holds_every_dependency_at_the_pinned_version(
    project: dict[str, dict[str, list[str]]],
) -> None:
    pinned, locked = pins("constraints.txt"), pins("requirements.lock")
    assert {name_of(needed) for needed in project["project"]["dependencies"]} <= locked.keys()
    for name, rest in locked.items():
        assert rest.split()[0] == pinned[name], name


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-build.lock"])
def test_everything_has_a_hash(lock: str) -> None:
    found = pins(lock)
    assert found
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", rest) for rest in found.values())


def test_the_build_is_pinned(project: dict[str, dict[str, list[str]]]) -> None:
    (backend,) = project["build-system"]["requires"]
    assert backend.partition("==")[2] == pins("requirements-build.lock")["hatchling"].split()[0]


def test_workflows_may_do_little_and_are_pinned_by_commit() -> None:
    for path in (ROOT / ".github/workflows").glob("*.yml"):
        text = path.read_text()
        assert re.search(r"^permissions:\n  contents: read$", text, re.M), path.name
        for action in re.findall(r"uses: (\S+)", text):
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action), f"{path.name}: {action}"
