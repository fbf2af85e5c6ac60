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


@pytest.mark.parametrize(
    "lock", ["requirements.lock", "requirements-build.lock", "requirements-release.lock"]
)
def test_everything_has_a_hash(lock: str) -> None:
    found = pins(lock)
    assert found
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", rest) for rest in found.values())


def test_the_build_is_pinned(project: dict[str, dict[str, list[str]]]) -> None:
    (backend,) = project["build-system"]["requires"]
    assert backend.partition("==")[2] == pins("requirements-build.lock")["hatchling"].split()[0]


def test_the_image_is_built_from_a_base_of_one_digest() -> None:
    bases = re.findall(r"^FROM (\S+)", (ROOT / "Containerfile").read_text(), re.M)
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.fullmatch(r"docker\.io/library/python:3\.12-slim@sha256:[0-9a-f]{64}", bases[0])
