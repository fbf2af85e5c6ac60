"""The dreams that ship, and the command that makes them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import soundfile
from bundle_maker import make_bundle, tiny_onnx

from benchmarks import dreams
from benchmarks.harness import ROOT
from genrescope.model import Classifier

GENRES = ("blues", "jazz", "rock")
STATIC = ROOT / "genrescope/web/static"


def test_what_ships_is_small_and_whole() -> None:
    listed = re.search(r"genres = (\[.*?\])", (STATIC / "dreamt.js").read_text(encoding="utf-8"))
    assert listed is not None
    genres = re.findall(r'"(\w+)"', listed[1])
    sounds = {path.stem: path for path in (STATIC / "dreams").iterdir()}
    assert genres
    assert set(genres) <= set(sounds)
    assert sum(path.stat().st_size for path in sounds.values()) < 400_000


def test_the_page_links_what_is_there() -> None:
    docs = ROOT / "docs"
    text = (docs / "dreams.md").read_text(encoding="utf-8")
    places = [place for place in re.findall(r"\]\(([^)]+)\)", text) if "://" not in place]
    assert len(places) >= 20
    assert all((docs / place).exists() for place in places)


@pytest.mark.slow
def test_the_command_writes_sounds_pictures_and_tables(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs/dreams.md"
    page.write_text("before\n" + "\nold\n".join(dreams.MARKS) + "\nbehind\n", encoding="utf-8")
    bundle = make_bundle(tmp_path / "three", labels=GENRES, onnx_bytes=tiny_onnx(n_classes=3))
    classifier = Classifier.load(bundle.path, threads=1)
    for _ in range(2):  # the second time replaces the first
        dreams.publish(classifier, [classifier], tmp_path, steps=2)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("behind\n")
    assert "old" not in text
    assert text.count("| [hear]") == len(GENRES)
    for genre in GENRES:
        sound = tmp_path / f"genrescope/web/static/dreams/{genre}.ogg"
        assert soundfile.info(sound).duration == pytest.approx(dreams.EXCERPT_S, abs=0.1)
        assert (tmp_path / f"docs/dreams/{genre}.webp").read_bytes()[8:12] == b"WEBP"
        assert text.count(f"| {genre} | [hear]") == 1
    assert classifier.bundle.name in (tmp_path / "genrescope/web/static/dreamt.js").read_text()
