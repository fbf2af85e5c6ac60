"""Feature stores: the npz layout; what is damaged is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genrescope.data.store import FeatureStore, is_store, track_from_dict, track_to_dict
from genrescope.data.track import Track
from genrescope.errors import DatasetError
from genrescope.features.config import STORE_CONFIG
from genrescope.features.spectrogram import standardise


def write(path: Path, *, tracks: list[str], genres: list[str], **other: object) -> Path:
    rng = np.random.default_rng(0)
    mel = rng.integers(0, 256, (len(tracks), 128, 40), dtype=np.uint8)
    np.savez(path, **({"track": tracks, "genre": genres, "mel": mel} | other))
    return path


def test_levels_become_decibels(tmp_path: Path) -> None:
    mel = np.arange(256, dtype=np.uint8).repeat(20).reshape(1, 128, 40)
    store = FeatureStore.load(write(tmp_path / "a.npz", tracks=["x"], genres=["g"], mel=mel))
    clip = store[0]
    assert clip.dtype == np.float32
    assert clip.shape == (128, 40)
    assert -80 < clip.min() < clip.max() < 0
    np.testing.assert_allclose(np.diff(np.unique(clip)), 80 / 256)
    np.testing.assert_allclose(standardise(clip), standardise(mel[0].astype(np.float32)), atol=1e-4)


def test_any_labelled_set_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", tracks=["c", "a", "b"], genres=["polka", "fado", "polka"])
    store = FeatureStore.load(path)
    assert store.tracks == ("c", "a", "b")
    assert store.genres == ("fado", "polka")
    assert store.labels.tolist() == [1, 0, 1]
    assert len(store) == 3
    assert store.config == STORE_CONFIG
    assert store.absent == {}
    np.testing.assert_array_equal(store.get("a"), store[1])


def test_genres_that_are_not_wanted_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", tracks=["c", "a", "b"], genres=["polka", "fado", "rumba"])
    whole = FeatureStore.load(path)
    store = whole.of_genres(["polka", "rumba"])
    assert store.tracks == ("c", "b")
    assert store.genres == ("polka", "rumba")
    np.testing.assert_array_equal(store.get("b"), whole[2])
    assert store.absent == {"a": "its genre, fado, is left out"}
    with pytest.raises(DatasetError, match="holds no track of 'tango'; its genres are fado, "):
        whole.of_genres(["tango"])


def test_gtzan_is_known_and_what_is_absent_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", tracks=["rock.00016", "blues.00000"], genres=["rock", "blues"])
    store = FeatureStore.load(path)
    assert store.facts[0].artist == "Queen"
    assert store.facts[0].repeats == ("metal.00058",)
    assert store.facts[1].duration == pytest.approx(40 * 1708 / 22_050)
    assert len(store.absent) == 998
    with pytest.raises(DatasetError, match=r"no features of metal\.00058: not in this file"):
        store.get("metal.00058")
    with pytest.raises(DatasetError, match="no track of this dataset"):
        store.get("polka.00000")


@pytest.mark.parametrize(
    "wrong",
    [
        {"mel": np.zeros((2, 128, 40), np.uint8)},
        {"mel": np.zeros((1, 128, 40), np.float32)},
        {"mel": np.zeros((1, 64, 40), np.uint8)},
        {"genre": ["a", "b"]},
        {"track": np.array("x")},
        {"track": [], "genre": [], "mel": np.zeros((0, 128, 40), np.uint8)},
        {"mel": np.zeros((1, 128, 0), np.uint8)},
        {"track": ["x", "x"], "genre": ["a", "b"], "mel": np.zeros((2, 128, 4), np.uint8)},
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, wrong: dict[str, object]) -> None:
    path = write(tmp_path / "a.npz", tracks=["x"], genres=["a"], **wrong)
    with pytest.raises(DatasetError, match=r"a\.npz"):
        FeatureStore.load(path)


def test_what_is_no_store_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such feature store"):
        FeatureStore.load(tmp_path / "nowhere.npz")
    with pytest.raises(DatasetError, match="dataset build"):
        FeatureStore.load(tmp_path)
    (tmp_path / "a.npz").write_bytes(b"PK no zip")
    np.savez(tmp_path / "b.npz", track=["x"])
    np.savez(tmp_path / "c.npz", track=np.array([object()]), genre=["a"], mel=[0])
    for name in ("a.npz", "b.npz", "c.npz"):
        with pytest.raises(DatasetError, match="not a feature store"):
            FeatureStore.load(tmp_path / name)


@pytest.mark.slow
def test_a_damaged_byte_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    rng = np.random.default_rng(0)
    mel = rng.integers(0, 9, (2, 128, 16), dtype=np.uint8)
    np.savez_compressed(path, track=["x", "y"], genre=["a", "b"], mel=mel)
    raw = path.read_bytes()
    refused = 0
    for place in range(0, len(raw), 7):
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 0xFF]) + raw[place + 1 :])
        try:
            FeatureStore.load(path)
        except DatasetError as error:
            refused += "a.npz" in str(error)
    assert refused > 0.9 * len(raw) / 7


def test_stores_are_told_from_music(tmp_path: Path) -> None:
    assert is_store(tmp_path / "a.npz")
    assert not is_store(tmp_path)


def test_shared_set_is_read(gtzan_dir: Path) -> None:
    store = FeatureStore.load(gtzan_dir / "mel_u8.npz")
    assert len(store) == 693
    assert len(store.genres) == 10
    assert len(store.absent) == 307
    assert "jazz.00054" in store.absent
    assert store[0].shape == (128, 387)


def test_facts_of_a_known_dataset_are_its_own(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", tracks=["rock.00016", "blues.00000"], genres=["rock", "blues"])
    (tmp_path / "tracks.csv").write_text("track,artist\nrock.00016,Somebody\n")
    assert FeatureStore.load(path).facts[0].artist == "Queen"


@pytest.mark.slow
def test_a_larger_set_with_its_table_is_read(gtzan_dir: Path) -> None:
    more = gtzan_dir.parent / "more"
    if not more.exists():
        pytest.skip("there is no ../shared/data/more")
    store = FeatureStore.load(more / "mel_u8.npz")
    assert len(store) == 898
    assert all(track.artist for track in store.facts)
    assert 500 < sum(track.certain for track in store.facts) < 898


def test_a_track_survives_being_written_down() -> None:
    track = Track("a", "g", "A", "T", Path("a.mp3"), "00", 3.0, ("distorted",), certain=False)
    row = track_to_dict(track)
    assert track_from_dict(row) == track
    # Stores of earlier versions do not say it.
    assert track_from_dict({k: v for k, v in row.items() if k != "certain"}).certain
