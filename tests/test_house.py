"""What docs/architecture.md and CONTRIBUTING.md promise, kept."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import genrescope
from genrescope.features.config import KINDS

ROOT = Path(genrescope.__file__).parent
TESTS = Path(__file__).parent
DOCS = TESTS.parent
GROUND = {
    *("errors", "files", "progress", "system"),
    *("confinement", "sandbox_worker", "sandbox"),
}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "files": set(),
    "progress": set(),
    "system": set(),
    "confinement": set(),
    "sandbox_worker": {"errors", "confinement"},
    "sandbox": {"errors", "confinement", "sandbox_worker"},
    "features": set(),
    "audio": GROUND,
    "mastering": GROUND | {"audio"},
    "model": GROUND | {"audio", "features"},
    "data": GROUND | {"audio", "features"},
    "mix": GROUND | {"audio", "features", "mastering", "model"},
    "dream": GROUND | {"audio", "mastering", "model"},
    "lab": GROUND | {"audio", "features", "model", "data"},
    "reproduction": GROUND | {"audio", "features", "model", "data", "lab"},
    "library": GROUND | {"audio", "features", "model"},
    "fleet": GROUND | {"audio", "features", "model"},
    "web": GROUND | {"audio", "features", "model", "mastering", "library"},
}
"""Each room and what it may import; the command line may import all of them."""
LAB_MAY_IMPORT = {
    "training": set(),
    "evaluation": {"training", "robustness", "heads"},
    "export": {"training", "heads"},
    "heads": set(),
    "robustness": set(),
}
"""Besides the files of the laboratory's own ground and its nets."""
HEAVY = {
    *("torch", "sklearn", "matplotlib", "librosa", "onnx", "mutagen", "pyarrow"),
    *("ray", "fsspec", "faiss", "cma"),
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


@pytest.mark.slow
def test_using_a_model_loads_no_training_library() -> None:
    code = (
        "import sys, genrescope, genrescope.model, genrescope.web.app; "
        "print(*{m.split('.')[0] for m in sys.modules})"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    ).stdout.split()
    assert "numpy" in loaded
    assert not HEAVY & set(loaded)


@pytest.mark.slow
def test_using_a_model_leaves_nothing_behind_and_reports_to_nobody(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    code = "import sys; from genrescope.model import Classifier; Classifier.load(sys.argv[1])"
    # Without CI and the like, which would silence ONNX Runtime by themselves.
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code, str(tiny_bundle)]
    subprocess.run(command, env=env, check=True, cwd=ROOT.parent, timeout=300)
    assert list(tmp_path.iterdir()) == []


def _modules() -> set[str]:
    """All modules of the package but the command's entry, as ``room/name``."""
    files = (path.relative_to(ROOT).with_suffix("") for path in ROOT.rglob("*.py"))
    return {path.as_posix() for path in files if not path.name.startswith("__")}


def _test_of(module: str) -> Path:
    path = TESTS / module
    return path.with_name(f"test_{path.name}.py")


def test_each_module_has_a_test_file_of_its_own() -> None:
    assert {module for module in _modules() if not _test_of(module).exists()} == set()


ARCHITECTURE = (DOCS / "docs" / "architecture.md").read_text(encoding="utf-8")
PICTURE, LABORATORY = re.findall(r"```\n(.*?)```", ARCHITECTURE, re.S)[:2]


def _rooms(folder: Path) -> set[str]:
    return {f"{path.parent.name}/" for path in folder.glob("*/__init__.py")}


def test_the_picture_shows_every_room_and_the_ground() -> None:
    drawn = set(re.findall(r"\b[a-z_]+/", PICTURE))
    assert drawn == _rooms(ROOT)
    assert set(re.findall(r"\b([a-z_]+)\.py", PICTURE)) == GROUND
    assert {f"{room}/" for room in MAY_IMPORT} >= drawn - {"cli/"}


def test_the_picture_of_the_laboratory_is_whole() -> None:
    lab = ROOT / "lab"
    names = {f"{path.stem}" for path in lab.glob("*.py") if path.stem != "__init__"}
    drawn = LABORATORY.splitlines()[-1].split()
    rooms = set(re.findall(r"\b[a-z]+/", LABORATORY))
    assert rooms == _rooms(lab) | {"recipes/"}
    assert {word for word in drawn if not word.endswith("/")} == names


ROWS = {
    room: cells
    for first, cells in re.findall(r"^\| (`[a-z`/, ]+`) \| (.*?) \|", ARCHITECTURE, re.M)
    for room in re.findall(r"`([a-z_]+)/`", first)
}


def test_the_table_has_a_row_for_every_room() -> None:
    assert {f"{room}/" for room in ROWS} == _rooms(ROOT)


@pytest.mark.parametrize("room", sorted(ROWS))
def test_the_table_names_modules_that_exist(room: str) -> None:
    named = set(re.findall(r"`([a-z_]+)`", ROWS[room]))
    there = {path.stem for path in ROOT.rglob("*.py")}
    there |= {path.parent.name for path in ROOT.rglob("__init__.py")} | set(KINDS)
    assert named <= there | {"tests"}
    own = {path.stem for path in (ROOT / room).rglob("*.py")} - {"__init__"}
    assert own & named or room in {"lab", "reproduction", "web", "cli"}


@pytest.mark.parametrize(
    "path",
    sorted(
        set(
            re.findall(
                r"`((?:genrescope|tests|docs)/[\w/.-]+)`",
                (DOCS / "CONTRIBUTING.md").read_text(encoding="utf-8"),
            )
        )
    ),
)
def test_what_contributing_names_exists(path: str) -> None:
    assert (DOCS / path).exists() or "yours" in path or path.endswith("/xx.json")
