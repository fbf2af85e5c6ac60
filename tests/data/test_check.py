"""Listening to a whole data set."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from genrescope.data import folder
from genrescope.data.check import check_dataset, describe


def test_faults_are_found(music: Path) -> None:
    shutil.copy(music / "fado" / "1.wav", music / "polka" / "same.wav")
    seen: list[int] = []
    found = check_dataset(
        folder.read(music), workers=2, progress=lambda done, total, name: seen.append(done)
    )
    durations = {track.track_id: track.duration for track in found.tracks}
    assert durations["fado/2.wav"] == pytest.approx(3.0)
    assert list(found.absent) == ["fado/broken.mp3"]
    repeats = {track.track_id: track.repeats for track in found.tracks if track.repeats}
    assert repeats == {"fado/1.wav": ("polka/same.wav",), "polka/same.wav": ("fado/1.wav",)}
    assert seen == list(range(1, 9))


def test_description_says_what_splits_are_possible(music: Path) -> None:
    facts = describe(check_dataset(folder.read(music)))
    assert facts["genres"] == {"fado": 3, "polka": 3}
    assert facts["duration_s"] == pytest.approx(12.0)
    assert "artists.csv" in facts["splits"]["artists"]["impossible"]
    assert "GTZAN" in facts["splits"]["fault-filtered"]["impossible"]
    assert facts["splits"]["windows"]["leaky"]
