"""The command as a whole: its verbs, their help, and how it fails."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner

from genrescope import __version__, cli
from genrescope.errors import GenrescopeError


def test_version() -> None:
    result = CliRunner().invoke(cli.app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"genrescope {__version__}\n")


def test_help_lists_every_verb_with_what_it_does() -> None:
    result = CliRunner().invoke(cli.app, ["--help"])
    assert result.exit_code == 0
    for verb in cli.VERBS:
        assert verb in result.stdout
    assert "Say which genre recordings are." in result.stdout


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_exists_and_explains_itself(verb: str) -> None:
    module, attribute = cli.VERBS[verb].split(":")
    assert hasattr(import_module(module), attribute)
    result = CliRunner().invoke(cli.app, [verb, "--help"])
    assert result.exit_code == 0
    assert "Usage: " in result.stdout


def test_the_installed_command_is_main() -> None:
    pyproject = Path(__file__).parents[2] / "pyproject.toml"
    scripts = tomllib.loads(pyproject.read_text())["project"]["scripts"]
    assert scripts["genrescope"] == "genrescope.cli:main"
    assert callable(cli.main)


def test_the_version_is_printed_without_a_library_of_numbers() -> None:
    code = (
        "import sys, genrescope.cli as c\n"
        "try: c.app(['--version'])\n"
        "except SystemExit: print(*{m.split('.')[0] for m in sys.modules})"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    ).stdout.split()
    assert "click" in loaded
    assert not {"numpy", "typer", "onnxruntime", "pydantic", "rich", "fastapi", "torch"} & set(
        loaded
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (GenrescopeError("the reason"), "genrescope: the reason"),
        (OSError(28, "No space left on device"), "output cannot be written: No space left"),
        (PermissionError(13, "Permission denied", "runs/x"), "genrescope: runs/x: Permission"),
    ],
    ids=["own", "full disk", "no permission"],
)
def test_what_goes_wrong_is_said_and_exits_with_1(
    monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def fail(path: object) -> None:
        raise error

    monkeypatch.setattr("genrescope.model.bundle.Bundle.load", fail)
    result = CliRunner().invoke(cli.app, ["info"])
    assert result.exit_code == 1
    assert words in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("torch", "train --data x --out y"),
        ("torch", "evaluate --data x"),
        ("sklearn", "reproduce --data x --out y --list"),
        ("torch", "export x --data y --out z"),
        ("matplotlib", "dataset show x"),
    ],
)
def test_without_the_laboratory_its_verbs_name_the_extra(
    module: str, arguments: str, tmp_path: Path
) -> None:
    code = (
        "import sys, genrescope.cli\n"
        "class Absent:\n"
        "    def find_spec(name, *_):\n"
        f"        if name == {module!r}: raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, Absent)\n"
        "genrescope.cli.main()"
    )
    command = [sys.executable, "-c", code, *arguments.split()]
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=300
    )
    assert result.returncode == 1
    assert result.stderr.startswith(f"genrescope: {module} is not installed")
    assert "pip install 'genrescope[train]'" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_modules_of_the_laboratory_are_those_its_extra_installs() -> None:
    pyproject = Path(__file__).parents[2] / "pyproject.toml"
    extras = tomllib.loads(pyproject.read_text())["project"]["optional-dependencies"]
    names = [requirement.partition(">=")[0] for requirement in extras["train"]]
    assert set(cli.TRAIN_MODULES) == {{"scikit-learn": "sklearn"}.get(n, n) for n in names}


def test_without_the_extra_for_collections_a_verb_says_what_to_install(tmp_path: Path) -> None:
    code = "import sys, genrescope.cli\nsys.modules['mutagen'] = None\ngenrescope.cli.main()"
    command = [sys.executable, "-c", code, "library", "scan", ".", "--catalogue", "l.db"]
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=300
    )
    assert result.returncode == 1
    assert "mutagen is not installed" in result.stderr
    assert "pip install 'genrescope[library]'" in result.stderr


def test_the_modules_of_collections_are_those_their_extra_installs() -> None:
    pyproject = Path(__file__).parents[2] / "pyproject.toml"
    extras = tomllib.loads(pyproject.read_text())["project"]["optional-dependencies"]
    names = [requirement.partition(">=")[0] for requirement in extras["library"]]
    assert set(cli.LIBRARY_MODULES) == set(names)


@pytest.mark.parametrize("module", ["numpy", "torch.absent"])
def test_a_module_that_no_extra_installs_is_a_fault_of_ours(
    monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    def fail(path: object) -> None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr("genrescope.model.bundle.Bundle.load", fail)
    result = CliRunner().invoke(cli.app, ["info"])
    assert isinstance(result.exception, ModuleNotFoundError)


def test_a_shell_completes_verbs_and_options() -> None:
    def completed(*words: str) -> list[str]:
        env = os.environ | {
            "_GENRESCOPE_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(words),
            "COMP_CWORD": str(len(words) - 1),
        }
        # The name decides which variable is looked at.
        code = "import sys; sys.argv[0] = 'genrescope'; from genrescope.cli import main; main()"
        command = [sys.executable, "-c", code]
        done = subprocess.run(
            command, env=env, capture_output=True, text=True, check=True, timeout=300
        )
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    assert completed("genrescope", "cl") == ["classify"]
    assert "--bundle" in completed("genrescope", "classify", "--b")
