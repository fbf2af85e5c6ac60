"""The verb `export`: it hands over what was asked, and tells what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bundle_maker import make_bundle
from cli_makers import invoke

from genrescope.lab.export import bundle as export_module


def test_what_is_asked_is_handed_over_and_what_is_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def export_runs(runs: Any, data: Any, out: Path, **options: Any) -> Any:
        asked.update(options, runs=runs, data=data)
        return make_bundle(out, thresholds={"uncertain": 0.4, "set": 1.0})

    monkeypatch.setattr(export_module, "export_runs", export_runs)
    out = tmp_path / "bundle"
    options = (
        "--data",
        "s",
        "--evidence",
        "c",
        "--window",
        5,
        "--last",
        "--int8",
        "--name",
        "mine",
    )
    result = invoke("export", "a", "b", *options, "--out", out)
    assert result.exit_code == 0, result.output
    assert (asked["runs"], asked["data"]) == ((Path("a"), Path("b")), (Path("s"),))
    assert (asked["evidence"], asked["window_s"]) == ((Path("c"),), 5.0)
    assert (asked["last"], asked["name"], asked["licence"]) == (True, "mine", "Apache-2.0")
    assert asked["int8"]
    assert "accuracy 0.500 [0.200, 0.800]" in result.stdout
    assert f"{out}: tiny, " in result.stdout
    assert "`genres` will always list every genre" in result.stderr


def test_a_folder_that_is_no_run_is_refused_in_words(tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    result = invoke("export", tmp_path / "none", "--data", tmp_path, "--out", out)
    assert result.exit_code == 1
    assert str(tmp_path / "none") in result.stderr
    assert not out.exists()
