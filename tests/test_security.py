"""SECURITY.md says nothing that no test shows, and leaves no limit out."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest

from genrescope.audio.isolation import JobLimits
from genrescope.web.limits import Limits

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of all tables under a heading, their own heads left out."""
    part = TEXT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in cells if row[0] not in ("promise", "limit")]


def named_tests() -> list[str]:
    """``file::test`` of each test that is named, a file before several of its tests standing once.

    A mention without a file belongs to the file before it.
    """
    found, file = [], ""
    for path, test in re.findall(r"`(tests/[\w/]+\.py)?(?:::(\w+))?`", TEXT):
        file = path or file
        if path or test:
            found.append(f"{file}::{test}")
    return found


def test_tests_are_named() -> None:
    assert len(named_tests()) > 50


@pytest.mark.parametrize("named", named_tests())
def test_each_test_that_is_named_exists(named: str) -> None:
    name, _, test = named.partition("::")
    path = ROOT / name
    assert path.is_file()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tests = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert not test or test in tests
    assert test or name == "tests/test_security.py"  # a row names a test, not a file


@pytest.mark.parametrize(
    "row", rows("What is promised, and what shows it"), ids=lambda row: row[0][:40]
)
def test_each_promise_names_what_shows_it(row: list[str]) -> None:
    assert len(row) == 3
    assert re.search(r"`tests/[\w/]+\.py::test_\w+`", row[2])


def test_each_limit_has_a_row_and_each_row_a_limit() -> None:
    named = [row[0].strip("`") for row in rows("Limits")]
    limits = [field.name for kind in (Limits, JobLimits) for field in fields(kind)]
    assert named == limits
    for _, usual, shown in rows("Limits"):
        assert usual
        assert shown == "the same" or re.search(r"`tests/[\w/]+\.py::test_\w+`", shown)


def test_usual_values_are_those_that_are_set() -> None:
    usual = {row[0].strip("`"): row[1] for row in rows("Limits")[: len(fields(Limits))]}
    limits = Limits()
    for name in ("waiting", "form_parts", "pipelined"):
        assert usual[name].split()[0] == str(getattr(limits, name))
    for name in (
        "work_s",
        "quick_audio_s",
        "quick_processor_s",
        "upload_s",
        "idle_s",
        "linger_s",
        "header_s",
        "keep_alive_s",
    ):
        assert usual[name].split(" s")[0] == f"{getattr(limits, name):g}"
    for name in ("form_bytes", "json_bytes", "header_bytes", "upload_rate"):
        assert usual[name].split(" kB")[0] == f"{getattr(limits, name) / 2**10:g}"
    for name in ("upload_bytes", "quick_bytes", "linger_bytes"):
        assert usual[name].split(" MiB")[0] == f"{getattr(limits, name) / 2**20:g}"
    assert usual["held_bytes"].split(" MiB")[0] == f"{limits.room_bytes / 2**20:g}"
    assert usual["audio_s"].split(" minutes")[0] == f"{limits.audio_s / 60:g}"
    assert limits.memory_bytes is None
    for name in ("connections", "small_pieces"):
        assert usual[name].split(" of")[0] == f"{getattr(limits, name):,}"


def test_what_it_links_to_exists() -> None:
    for target in re.findall(r"\]\(([^):]+)\)", TEXT):
        assert (ROOT / target).exists(), target
