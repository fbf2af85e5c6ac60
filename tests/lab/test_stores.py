"""Stores of every input know the same of their clips."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from lab_makers import music_folder

from genrescope.data import folder, isolation
from genrescope.lab.stores import make_store


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["waveform", "mel"])
def test_a_copy_is_known_as_a_repeat(tmp_path: Path, kind: str) -> None:
    music = tmp_path / "music"
    music_folder(music, 2)
    shutil.copy(music / "fado" / "0.wav", music / "tango" / "copy.wav")
    store = make_store(folder.read(music), kind, tmp_path / "store", workers=1)
    repeats = {track.track_id: track.repeats for track in store.facts if track.repeats}
    assert repeats == {"fado/0.wav": ("tango/copy.wav",), "tango/copy.wav": ("fado/0.wav",)}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="dies by a POSIX signal")
@pytest.mark.parametrize("kind", ["waveform", "mel"])
def test_a_file_that_crashes_the_decoder_is_said_and_the_others_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(isolation, "HANDLER", "sandbox_handlers:evil_clips")
    music_folder(tmp_path / "music", 2)
    (tmp_path / "music" / "fado" / "bad.wav").write_bytes(b"crash")
    dataset = folder.read(tmp_path / "music")
    store = make_store(dataset, kind, tmp_path / "store", workers=1)
    assert store.absent == {"fado/bad.wav": "it crashed the decoder (Segmentation fault)"}
    assert len(store) == len(dataset.tracks) - 1
