"""The samples that ship are what they say, by the bundle that ships."""

from __future__ import annotations

from pathlib import Path

import pytest

import genrescope
from genrescope.model import Classifier

SAMPLES = Path(genrescope.__file__).parent / "samples"
GENRES = {"minuet.ogg": "classical", "disco.ogg": "disco", "metal.ogg": "metal"}


def test_there_are_three_and_they_are_small() -> None:
    sounds = [path for path in SAMPLES.iterdir() if path.suffix == ".ogg"]
    assert {path.name for path in sounds} == set(GENRES)
    assert sum(path.stat().st_size for path in sounds) < 600_000
    credits_ = (SAMPLES / "README.md").read_text(encoding="utf-8")
    assert all(name in credits_ for name in GENRES)


@pytest.mark.parametrize("name", GENRES)
def test_each_gets_its_genre_without_a_doubt_that_it_is_music(name: str) -> None:
    prediction = Classifier.load().classify(SAMPLES / name)
    assert prediction.genre == GENRES[name]
    assert prediction.flags == ()
