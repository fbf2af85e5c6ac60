"""Tags by the command line: planned, written, undone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_makers import Shell
from library_makers import tag

from genrescope.library.tags.reading import read_tags


@pytest.mark.slow
def test_from_scan_to_undo(shell: Shell, songs: Path, tmp_path: Path) -> None:
    assert "2 files in 1 folders: 2 new" in shell("scan", songs, ask=False).stdout
    assert "2 judged, 0 known already, 0 failed" in shell("judge").stdout
    assert "0 judged" in shell("judge").stdout
    assert shell("check", ask=False).stdout.startswith("intact: 2 files, 2 judgements by 1 bundles")
    lines = shell("list", "--json").stdout.splitlines()
    assert [json.loads(line)["artist"] for line in lines] == ["Ann", "Bob"]
    assert "b.mp3" not in shell("list", "artist:ann").stdout
    assert "a.flac" not in shell("list", "--", "-artist:ann").stdout

    planned = shell("tags", "plan")
    plan = tmp_path / "plan.jsonl"
    plan.write_text(planned.stdout, encoding="utf-8")
    assert "changes; a genre for" in planned.stderr
    assert "GENRESCOPE" not in str(read_tags(songs / "b.mp3").tags)
    dry = shell("tags", "apply", plan, ask=False)
    assert "2 files would be written; add --write to do it" in dry.stdout
    assert "+ genrescope_genre: " in shell("tags", "diff", plan, ask=False).stdout
    assert "run 1: 2 files written" in shell("tags", "apply", plan, "--write", ask=False).stdout
    assert "GENRESCOPE_GENRE" in str(read_tags(songs / "b.mp3").tags)
    assert "nothing to write" in shell("tags", "apply", plan, "--write", ask=False).stdout
    assert "apply     2 files" in shell("tags", "runs", ask=False).stdout
    assert "+ genrescope_genre: " in shell("tags", "diff", 1, ask=False).stdout
    assert "2 files would be written" in shell("tags", "undo", 1, ask=False).stdout
    assert "run 2: 2 files written" in shell("tags", "undo", 1, "--write", ask=False).stdout
    assert "GENRESCOPE" not in str(read_tags(songs / "b.mp3").tags)
    assert "0 new, 0 changed, 0 gone" in shell("scan", ask=False).stdout
    assert "0 judged" in shell("judge").stdout


@pytest.mark.slow
def test_a_conflict_is_named_and_the_code_is_1(shell: Shell, songs: Path, tmp_path: Path) -> None:
    shell("scan", songs, ask=False)
    shell("judge")
    plan = tmp_path / "plan.jsonl"
    plan.write_text(shell("tags", "plan").stdout, encoding="utf-8")
    tag(songs / "a.flac", title="Another")
    result = shell("tags", "apply", plan, "--write", ask=False, code=1)
    assert "a.flac: it changed since the scan" in result.stderr
    assert "run 1: 1 files written" in result.stdout
