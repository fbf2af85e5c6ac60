"""The workflows run what there is, with few rights, for a bounded time, from pinned parts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text()


def steps(path: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(path.read_text())["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.stem)
def workflow(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_it_may_do_little(workflow: Path) -> None:
    described = yaml.safe_load(workflow.read_text())
    assert described["permissions"] == {"contents": "read"}
    for name, job in described["jobs"].items():
        writes = {key for key, right in job.get("permissions", {}).items() if right == "write"}
        allowed = {
            "release": {"contents", "id-token", "attestations"},
            "publish": {"pages", "id-token"},
        }
        assert writes <= allowed.get(name, set())
    for step in steps(workflow):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_no_job_runs_for_ever(workflow: Path) -> None:
    for name, job in yaml.safe_load(workflow.read_text())["jobs"].items():
        assert 1 <= job["timeout-minutes"] <= 180, name


def test_actions_are_pinned_by_commit(workflow: Path) -> None:
    for action in re.findall(r"uses: (.+)", workflow.read_text()):
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_what_it_makes_is_in_the_makefile(workflow: Path) -> None:
    for target, settings in re.findall(r"\bmake ([\w-]+)(.*)", _commands(workflow)):
        assert re.search(rf"^{target}:", MAKEFILE, re.M), target
        for variable in re.findall(r"\b([A-Z_]+)=", settings):
            assert f"$({variable})" in MAKEFILE, variable


def test_what_it_installs_has_hashes(workflow: Path) -> None:
    commands = [line for line in _commands(workflow).splitlines() if "pip install" in line]
    for command in commands:
        (lock,) = re.findall(r"--require-hashes -r (\S+)", command) or [None]
        assert lock is None or (ROOT / lock).exists()
        assert lock is not None or "--no-deps" in command, command


def _commands(path: Path) -> str:
    return "\n".join(step.get("run", "") for step in steps(path))


def test_what_the_fuzzer_finds_is_kept() -> None:
    (kept,) = (
        step["with"]["path"]
        for step in steps(ROOT / ".github/workflows/nightly.yml")
        if step.get("with", {}).get("name") == "fuzz"
    )
    assert f"-artifact_prefix={kept}/" in MAKEFILE


def test_a_release_says_what_it_is_made_of_and_who_built_it() -> None:
    (release,) = (path for path in WORKFLOWS if path.stem == "release")
    assert "cyclonedx-py environment venv" in _commands(release)
    uses = [step.get("uses", "") for step in steps(release)]
    assert any(action.startswith("actions/attest-build-provenance@") for action in uses)


def test_tools_of_the_makefile_are_pinned() -> None:
    for name in ("pip-audit", "uv"):
        assert re.search(rf"pip-version-check {name}==\$\(\w+\)", MAKEFILE), name
