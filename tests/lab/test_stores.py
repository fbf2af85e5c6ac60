"""Stores of every input know the same of their clips."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from lab_makers import music_folder

from genrescope.data import folder
from genrescope.data.store import FeatureStore
from genrescope.lab.stores import make_store, shortened


@pytest.mark.parametrize("kind", ["waveform", "mel"])
def test_a_copy_is_known_as_a_repeat(tmp_path: Path, kind: str) -> None:
    music = tmp_path / "music"
    music_folder(music, 2)
    shutil.copy(music / "fado" / "0.wav", music / "tango" / "copy.wav")
    store = make_store(folder.read(music), kind, tmp_path / "store", workers=1)
    repeats = {track.track_id: track.repeats for track in store.facts if track.repeats}
    assert repeats == {"fado/0.wav": ("tango/copy.wav",), "tango/copy.wav": ("fado/0.wav",)}


def test_clips_are_shortened_to_their_beginnings(tmp_path: Path) -> None:
    dataset = folder.read(music_folder(tmp_path / "music", 2))
    for kind in ("waveform", "mel"):
        store = make_store(dataset, kind, tmp_path / kind, workers=1)
        short = shortened(store, 2.0)
        n = round(2.0 * store.config.frame_rate)
        np.testing.assert_array_equal(short[0], store[0][:, :n])
        assert {track.duration for track in short.facts} == {2.0}
        assert shortened(store, 60.0)[0].shape == store[0].shape
    levels = np.random.default_rng(0).integers(0, 256, (1, 128, 40), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", track=["x"], genre=["a"], mel=levels)
    packed = FeatureStore.load(tmp_path / "a.npz")
    np.testing.assert_array_equal(shortened(packed, 1.0)[0], packed[0][:, :13])
