"""Music to measure by: one folder or several stores, by its protocol or whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lab_makers import bands_store, music_of

from genrescope.errors import GenrescopeError
from genrescope.lab.evaluation.evaluate import Selection, evaluate_bundle
from genrescope.lab.evaluation.models import Excerpts
from genrescope.lab.evaluation.music import open_music
from genrescope.model.bundle import Bundle


def test_there_is_no_fold_beyond_the_last(bundle: Bundle) -> None:
    store = bands_store()
    with pytest.raises(ValueError, match="has folds 0 to"):
        evaluate_bundle(bundle, music_of(store), Selection("tracks", fold=9))


def test_only_feature_stores_are_judged_by_together(recordings: Path, tmp_path: Path) -> None:
    store = tmp_path / "store.npz"
    mel = np.zeros((1, 128, 40), np.uint8)
    np.savez(store, track=np.array(["a"]), genre=np.array(["fado"]), mel=mel)
    with pytest.raises(GenrescopeError, match="is no feature store"):
        open_music([store, recordings])


def test_music_without_a_protocol_is_judged_whole() -> None:
    store = bands_store()
    split = music_of(store).split(None)
    assert split.protocol == "all"
    members: Sequence[str] = split.folds[0].test
    assert set(members) == set(store.tracks)


@pytest.mark.slow
def test_a_bundle_is_judged_by_excerpts_of_recordings(recordings: Path, bundle: Bundle) -> None:
    report = evaluate_bundle(bundle, open_music([recordings], excerpts=Excerpts(1.0)))
    assert report.evaluation.track.n == 18
    assert report.title.endswith("excerpts of 1 s")
    assert report.to_dict()["excerpts"] == {"seconds": 1.0, "seed": 0}


def test_windows_have_no_excerpts(bundle: Bundle) -> None:
    music = replace(music_of(bands_store()), excerpts=Excerpts(1.0))
    with pytest.raises(GenrescopeError, match="tells of windows, which have no excerpts"):
        evaluate_bundle(bundle, music, Selection("windows"))
