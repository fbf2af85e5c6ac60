"""Runs that tests of export share: trained once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from lab_makers import SMALL_COMPACT as RECIPE
from lab_makers import begin

from genrescope.data.splits import everything, make_split
from genrescope.data.store import FeatureStore
from genrescope.data.track import Track
from genrescope.features.config import STORE_CONFIG
from genrescope.lab.training.run import Run


@pytest.fixture(scope="package")
def store() -> FeatureStore:
    """Three genres: a band that is steady, that flickers, and none."""
    rng = np.random.default_rng(0)
    tracks, clips = [], []
    for i in range(36):
        genre = i % 3
        clip = rng.normal(-50, 5, (128, 80)).astype(np.float32)
        if genre:
            clip[30:60] += 20 * (1 if genre == 1 else rng.integers(0, 2, 80))
        tracks.append(Track(f"t{i}", "abc"[genre], f"artist {i}", f"title {i}", duration=6.0))
        clips.append(clip.T.astype(np.float16))
    return FeatureStore(STORE_CONFIG, tuple(tracks), {}, "bands", clips)


@pytest.fixture(scope="package")
def runs(store: FeatureStore, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Two seeds of one fold, another fold, two without a valid part, and one on everything."""
    folder = tmp_path_factory.mktemp("runs")
    split = make_split("tracks", store.facts, n_folds=3)
    settled = replace(split, folds=tuple(fold.without_valid() for fold in split.folds))
    for name, fold in (("d", 0), ("e", 1)):
        begin(store, settled, RECIPE, fold=fold, seed=0, out=folder / name).run()
    for name, fold, seed in (("a", 0, 0), ("b", 0, 1), ("c", 1, 0)):
        begin(store, split, RECIPE, fold=fold, seed=seed, out=folder / name, command=name).run()
    whole = everything(store.facts)
    begin(store, whole, RECIPE, fold=0, seed=0, out=folder / "all", command="all").run()
    return {name: Run.load(folder / name) for name in ("a", "b", "c", "d", "e", "all")}
