"""What the cells are made of: all of the music, or a little of it for a quick trial."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lab_makers import bands_store, music_folder

from genrescope.data import folder
from genrescope.data.store import FeatureStore
from genrescope.errors import DatasetError
from genrescope.features import config as features
from genrescope.lab.stores import make_store
from genrescope.reproduction.material import KINDS, few, few_tracks, open_material, shortened


@pytest.mark.slow
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


def test_a_few_tracks_of_each_genre_are_by_different_artists() -> None:
    store = bands_store(12, n_frames=100)
    chosen = few(store, 3)
    by_genre: dict[str, list[str | None]] = {}
    for track in chosen.facts:
        by_genre.setdefault(track.genre, []).append(track.artist)
    assert by_genre.keys() == set(store.genres)
    assert all(len(artists) == 3 for artists in by_genre.values())
    assert frozenset(chosen.tracks) == few_tracks(store.facts, 3)
    for track_id in chosen.tracks:
        np.testing.assert_array_equal(chosen.get(track_id), store.get(track_id))


@pytest.mark.slow
def test_features_are_computed_when_a_cell_needs_them(tmp_path: Path) -> None:
    from genrescope.reproduction.plan import Cell

    material = open_material(music_folder(tmp_path / "music", 2))
    told: list[tuple[float, float | None, str]] = []
    data = material.data(
        tmp_path / "cache", quick=True, progress=lambda *report: told.append(report)
    )
    assert told == []
    assert not (tmp_path / "cache").exists()
    store = data.store(Cell("tracks", "all", "mel", "svm"))
    assert told[-1] == (len(store), len(store), "mel")
    assert store is data.store(Cell("windows", "all", "bands", "svm"))
    assert (tmp_path / "cache" / "all-mel").is_dir()


def test_the_talks_names_of_the_inputs_are_of_all_kinds_of_features() -> None:
    assert KINDS["raw"] == "waveform"
    assert set(KINDS.values()) == set(features.KINDS)


def test_what_is_named_must_be_there(tmp_path: Path) -> None:
    music = music_folder(tmp_path / "music", 2)
    with pytest.raises(DatasetError, match="no such folder"):
        open_material(music, tmp_path / "nowhere")
    assert open_material(music).sound is not None
