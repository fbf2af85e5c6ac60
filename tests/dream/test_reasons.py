"""What a net goes by: each thing changed in turn."""

from __future__ import annotations

from pathlib import Path

import pytest
from song_makers import middle

from genrescope.dream.reasons import CHANGES, reasons
from genrescope.dream.song import Song
from genrescope.model import Classifier


@pytest.mark.slow
def test_each_change_that_changes_something_is_tried(tiny_bundle: Path) -> None:
    classifier = Classifier.load(tiny_bundle, threads=1)
    song = middle(mode="major", swing=0.0)
    found = reasons(classifier, song, "jazz", seed=0)
    words = [reason.change for reason in found]
    assert set(words) == set(CHANGES) - {"in major", "without swing"}
    losses = [reason.loss for reason in found]
    assert losses == sorted(losses, reverse=True)
    assert all(0 <= reason.probability <= 1 for reason in found)


def test_changes_stay_within_the_limits() -> None:
    for change in CHANGES.values():
        song = change(middle())
        assert Song.from_vector(song.to_vector()) is not None
        assert ((song.to_vector() >= -1e-9) & (song.to_vector() <= 1 + 1e-9)).all()
