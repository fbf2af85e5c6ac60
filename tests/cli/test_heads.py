from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from genrescope.cli import app


def test_attach_asks_for_a_head(tiny_bundle: Path, tmp_path: Path) -> None:
    command = ["heads", "attach", str(tiny_bundle), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "--tempo, --key or both" in result.stderr


def test_a_folder_without_a_run_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    command = ["heads", "attach", str(tiny_bundle), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*command, "--key", str(tmp_path)])
    assert result.exit_code == 1
    assert "no finished run of genrescope heads train" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_head_is_tempo_or_key(tmp_path: Path) -> None:
    command = ["heads", "train", "swing", "--data", "x.npz", "--out", str(tmp_path)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "tempo" in result.stderr
