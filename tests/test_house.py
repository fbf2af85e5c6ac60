"""What the picture in docs/architecture.md promises, kept."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import genrescope

ROOT = Path(genrescope.__file__).parent
GROUND = {"errors", "files", "progress", "system", "confinement", "sandbox"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "files": set(),
    "progress": set(),
    "system": set(),
    "confinement": set(),
    "sandbox": {"errors", "confinement"},
    "features": set(),
    "audio": GROUND,
    "mastering": GROUND | {"audio"},
    "model": GROUND | {"audio", "features"},
    "data": GROUND | {"audio", "features"},
    "lab": GROUND | {"audio", "features", "model", "data"},
    "reproduction": GROUND | {"audio", "features", "model", "data", "lab"},
    "library": GROUND | {"audio", "features", "model"},
    "fleet": GROUND | {"audio", "features", "model"},
    "web": GROUND | {"audio", "features", "model", "mastering", "library"},
}
"""Each room and what it may import; the command line may import all of them."""
LAB_MAY_IMPORT = {
    "training": set(),
    "evaluation": {"training", "robustness"},
    "export": {"training"},
    "robustness": set(),
}
"""Besides the files of the laboratory's own ground and its nets."""
HEAVY = {
    *("torch", "sklearn", "matplotlib", "librosa", "onnx", "mutagen", "pyarrow"),
    *("ray", "fsspec", "faiss"),
}


def _imports(path: Path) -> set[str]:
    """Full dotted names of what a file of the package imports, at any depth."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} uses a relative import; write it in full"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _files() -> list[Path]:
    return sorted(p for p in ROOT.rglob("*.py") if p.parent != ROOT or p.stem in GROUND)


@pytest.mark.parametrize("path", _files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_every_import_points_down(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0].removesuffix(".py")
    inside = [n.split(".") for n in _imports(path) if n.startswith("genrescope.")]
    rooms = {parts[1] for parts in inside if parts[1] in {*MAY_IMPORT, "cli"}} - {room}
    assert room == "cli" or rooms <= MAY_IMPORT[room]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "lab").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT / "lab"))
)
def test_the_rooms_of_the_laboratory_stand_on_each_other(path: Path) -> None:
    room = path.relative_to(ROOT / "lab").parts[0]
    inside = [n.split(".") for n in _imports(path) if n.startswith("genrescope.lab.")]
    rooms = {parts[2] for parts in inside if parts[2] in LAB_MAY_IMPORT} - {room}
    assert rooms <= LAB_MAY_IMPORT.get(room, set())


@pytest.mark.parametrize("module", ["genrescope", "genrescope.model", "genrescope.web.app"])
def test_using_a_model_loads_no_training_library(module: str) -> None:
    code = f"import sys, {module}; print(*{{m.split('.')[0] for m in sys.modules}})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not HEAVY & set(loaded)


def test_using_a_model_leaves_nothing_behind_and_reports_to_nobody(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    code = "import sys; from genrescope.model import Classifier; Classifier.load(sys.argv[1])"
    # Without CI and the like, which would silence ONNX Runtime by themselves.
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code, str(tiny_bundle)]
    subprocess.run(command, env=env, check=True, cwd=ROOT.parent)
    assert list(tmp_path.iterdir()) == []
