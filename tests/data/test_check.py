"""Listening to a whole dataset."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from genrescope.data import folder, gtzan
from genrescope.data.build import build_store
from genrescope.data.check import check_dataset, describe

from .conftest import write_tone


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


@pytest.mark.slow
def test_silence_is_left_out_as_the_store_leaves_it_out(music: Path, tmp_path: Path) -> None:
    sf.write(music / "fado" / "none.wav", np.zeros(40_000), 22_050)
    sf.write(music / "fado" / "faint.wav", np.full(40_000, 1e-4), 22_050)
    found = check_dataset(folder.read(music))
    assert found.absent["fado/none.wav"] == "digital silence"
    store = build_store(folder.read(music), tmp_path / "store", workers=1)
    assert {t.track_id for t in found.tracks} == set(store.tracks)
    assert found.absent == store.absent


@pytest.mark.slow
def test_what_decodes_is_not_called_undecodable(tmp_path: Path) -> None:
    sound, sr = sf.read(write_tone(tmp_path / "tone.wav"))
    (tmp_path / "jazz").mkdir()
    (tmp_path / "reggae").mkdir()
    sf.write(tmp_path / "jazz" / "jazz.00054.au", sound, sr)
    sf.write(tmp_path / "reggae" / "reggae.00086.au", sound[:sr], sr)
    read = gtzan.read(tmp_path)
    assert [track.faults for track in read.tracks] == [("undecodable",), ("distorted",)]
    found = check_dataset(read, workers=1)
    assert [track.faults for track in found.tracks] == [(), ("distorted",)]
    (tmp_path / "jazz" / "jazz.00054.au").write_bytes(b"no audio")
    found = check_dataset(read, workers=1)
    assert [track.track_id for track in found.tracks] == ["reggae.00086"]
    assert "jazz.00054" in found.absent


@pytest.mark.slow
def test_description_says_what_splits_are_possible(music: Path) -> None:
    facts = describe(check_dataset(folder.read(music)))
    assert facts["genres"] == {"fado": 3, "polka": 3}
    assert facts["duration_s"] == pytest.approx(12.0)
    assert "artists.csv" in facts["splits"]["artists"]["impossible"]
    assert "fault-filtered" not in facts["splits"]
    assert facts["splits"]["windows"]["leaky"]
    assert facts["splits"]["all"]["folds"] == [{"train": 6, "valid": 0, "test": 0}]


def test_the_split_of_a_known_dataset_is_offered_to_it_alone(tmp_path: Path) -> None:
    for genre in ("jazz", "reggae"):
        write_tone(tmp_path / genre / f"{genre}.00001.wav")
    splits = describe(gtzan.read(tmp_path))["splits"]
    (fold,) = splits["fault-filtered"]["folds"]
    assert sum(fold.values()) + len(splits["fault-filtered"]["excluded"]) == 2
