"""The commands of docs/collection.md, one after the other, on the samples that ship."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import genrescope
from genrescope.cli import app
from genrescope.library.tags.reading import read_tags

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "collection.md"


def commands() -> list[str]:
    """Every genrescope command of the guide, as typed."""
    blocks = re.findall(r"```\n(genrescope .*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.slow
def test_the_guide_runs_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "data"))
    samples = Path(genrescope.__file__).parent / "samples"
    Path("music").mkdir()
    for path in samples.glob("*.ogg"):
        shutil.copy(path, "music")
    before = {path: read_tags(path).tags for path in Path("music").iterdir()}
    outputs: dict[str, str] = {}
    for line in commands():
        typed, _, target = line.partition(" > ")
        result = CliRunner().invoke(app, shlex.split(typed)[1:])
        if "library learn" in line:
            assert result.exit_code == 1
            assert "at least 8 tracks by 3 artists" in result.stderr
            continue
        assert result.exit_code == 0, f"{line}: {result.output}"
        outputs[line] = result.stdout
        if target:
            Path(target).write_text(result.stdout, encoding="utf-8")
        if line.endswith("apply plan.jsonl --write"):
            assert "GENRESCOPE_GENRE" in str(read_tags("music/disco.ogg").tags)
    assert "disco.ogg" in outputs["genrescope library list genre:disco"]
    assert "metal.ogg" not in outputs["genrescope library list judged:true -- -genre:metal"]
    assert "3 files" in outputs["genrescope library check"]
    assert {path: read_tags(path).tags for path in before} == before
    assert Path("like.m3u8").read_text(encoding="utf-8").count("music/") == 3
    verbs = {line.split()[2] for line in commands()}
    assert verbs >= {"scan", "judge", "list", "check", "export", "tags", "odd", "duplicates"}
    assert verbs >= {"similar", "playlist", "learn"}
