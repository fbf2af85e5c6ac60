"""The verb ``web export``."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from genrescope.cli import app
from genrescope.web.site import ORT_FILES


def export(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["web", "export", *map(str, arguments)])
    return result.exit_code, result.output


def test_it_writes_a_site_and_says_how_large_it_is(tmp_path: Path, tiny_bundle: Path) -> None:
    ort = tmp_path / "ort"
    ort.mkdir()
    for name in ORT_FILES:
        (ort / name).write_bytes(b"x")
    code, output = export(tmp_path / "site", "--bundle", tiny_bundle, "--ort", ort)
    assert code == 0
    assert f"{tmp_path / 'site'}: " in output
    assert " files, " in output
    assert (tmp_path / "site" / "index.html").exists()


def test_what_is_missing_is_said_with_the_remedy(tmp_path: Path, tiny_bundle: Path) -> None:
    code, output = export(tmp_path / "site", "--bundle", tiny_bundle, "--ort", tmp_path)
    assert code == 1
    assert "npm ci --prefix page" in output
    assert not (tmp_path / "site").exists()
