"""A folder of recordings, and `classify` as a function."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli_makers import Shell, genre_bundle, tone
from click.testing import CliRunner, Result
from lab_makers import music_folder
from library_makers import make_song

from genrescope.cli import app

RECIPE = """
net = "cnn"
epochs = 3
excerpts = 2
batch_size = 8
ema = 0.9
options = { width = 4 }
"""


@pytest.fixture(scope="package")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three recordings, one of them below, and what is no music."""
    folder = tmp_path_factory.mktemp("music")
    tone(folder / "b.wav", "jazz", seconds=3.5)
    tone(folder / "a.flac", "rock", seconds=3.5)
    tone(folder / "disc" / "c.WAV", "blues", seconds=1)
    (folder / "cover.jpg").write_bytes(b"no sound")
    (folder / "._b.wav").write_bytes(b"a companion that macOS left")
    return folder


@pytest.fixture
def run(tiny_bundle: Path) -> Any:
    def invoke(*arguments: str | Path) -> Result:
        given = ["classify", "--bundle", str(tiny_bundle), *map(str, arguments)]
        return CliRunner().invoke(app, given)

    return invoke


@pytest.fixture
def shell(tmp_path: Path, tiny_bundle: Path) -> Shell:
    return Shell(tmp_path, tiny_bundle)


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """A folder with a song that has a genre and one that has none."""
    folder = tmp_path / "music"
    make_song(folder / "a.flac", artist="Ann", title="One", genre="Polka")
    make_song(folder / "b.mp3", seed=1, artist="Bob")
    return folder


@pytest.fixture(scope="package")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Music, its features, a recipe, runs of two folds, and a bundle that knows the genres."""
    folder = tmp_path_factory.mktemp("work")
    music_folder(folder / "music")
    (folder / "recipe.toml").write_text(RECIPE)
    for arguments in (
        ["dataset", "build", "music", "--out", "store", "--hop-length", "1708"],
        ["train", "--data", "store", "--out", "run0", "--net", "bigru", "--epochs", "1"],
        [*("train", "--data", "store", "--out", "run1", "--net", "bigru", "--epochs", "1"),
         *("--fold", "1")],
    ):  # fmt: skip
        made = CliRunner().invoke(
            app,
            [str(folder / a) if a in ("music", "store", "run0", "run1") else a for a in arguments],
        )
        assert made.exit_code == 0, made.output
    genre_bundle(folder / "bundle", tracks=["fado/0.wav"])
    return folder
