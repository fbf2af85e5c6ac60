"""Stores of every input know the same of their clips."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from lab_makers import music_folder

from genrescope.data import folder
from genrescope.lab.stores import make_store


@pytest.mark.parametrize("kind", ["waveform", "mel"])
def test_a_copy_is_known_as_a_repeat(tmp_path: Path, kind: str) -> None:
    music = tmp_path / "music"
    music_folder(music, 2)
    shutil.copy(music / "fado" / "0.wav", music / "tango" / "copy.wav")
    store = make_store(folder.read(music), kind, tmp_path / "store", workers=1)
    repeats = {track.track_id: track.repeats for track in store.facts if track.repeats}
    assert repeats == {"fado/0.wav": ("tango/copy.wav",), "tango/copy.wav": ("fado/0.wav",)}
