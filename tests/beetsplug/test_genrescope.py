"""The plugin, run by the real beets in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from library_makers import make_song, pretend

from genrescope.library.catalogue import Catalogue
from genrescope.library.scan import scan
from genrescope.model import Classifier
from genrescope.model.bundle import Bundle

pytest.importorskip("beets", reason="needs beets")
ROOT = Path(__file__).resolve().parents[2]


class Beets:
    """A library of beets with two songs, and Genrescope's catalogue, which knows the first."""

    def __init__(self, folder: Path, bundle: Path) -> None:
        self.folder = folder
        for name, artist, seed in (("a", "Ann", 1), ("b", "Bob", 2)):
            make_song(folder / "in" / f"{name}.flac", artist=artist, title=name, seed=seed)
        config = (
            f"directory: {folder / 'music'}\nlibrary: {folder / 'beets.db'}\n"
            "plugins: genrescope\nimport: {copy: no, write: no, autotag: no}\n"
            f"genrescope: {{bundle: {bundle}, catalogue: {folder / 'library.db'}}}\n"
        )
        (folder / "config.yaml").write_text(config, encoding="utf-8")
        self("import", "-q", "-s", str(folder / "in"))

    def __call__(self, *arguments: str) -> str:
        env = {**os.environ, "BEETSDIR": str(self.folder), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-W", "ignore", "-m", "beets", *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, env=env, check=False, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def beets(tmp_path: Path, tiny_bundle: Path) -> Beets:
    return Beets(tmp_path, tiny_bundle)


@pytest.mark.slow
def test_the_sound_becomes_fields_that_can_be_queried(
    beets: Beets, tmp_path: Path, tiny_bundle: Path
) -> None:
    bundle = Bundle.load(tiny_bundle)
    before = {path: path.read_bytes() for path in (tmp_path / "in").iterdir()}
    with Catalogue(tmp_path / "library.db") as catalogue:
        scan(catalogue, [tmp_path / "in"])
        pretend(catalogue, bundle, "a.flac", {"jazz": 0.875, "pop": 0.125}, genres=("jazz", "pop"))
    beets("genrescope")
    fields = "$title $genrescope_genre $genrescope_set"
    assert beets("ls", "-f", fields, "title:a") == "a jazz jazz; pop\n"
    prediction = Classifier.load(bundle).classify(tmp_path / "in" / "b.flac")
    assert beets("ls", "-f", "$genrescope_genre", "title:b") == f"{prediction.genre}\n"
    assert beets("ls", "-f", "$title", "genrescope_confidence:0.8..") == "a\n"
    assert beets("ls", "-f", "$title", "genrescope_genre:jazz", "title:a") == "a\n"
    with Catalogue(tmp_path / "library.db") as catalogue:
        catalogue.db.execute("UPDATE judgement SET genre = 'pop'")
    beets("genrescope", "title:a")
    assert beets("ls", "-f", "$genrescope_genre", "title:a") == "jazz\n"
    beets("genrescope", "-f", "title:a")
    assert beets("ls", "-f", "$genrescope_genre", "title:a") == "pop\n"
    assert {path: path.read_bytes() for path in (tmp_path / "in").iterdir()} == before
