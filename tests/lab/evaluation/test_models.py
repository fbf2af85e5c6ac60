"""Bundles and runs answer as they were trained to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lab_makers import bands_store, begin

from genrescope.data.splits import make_split
from genrescope.errors import GenrescopeError
from genrescope.features.config import FeatureConfig
from genrescope.lab.evaluation.models import (
    Excerpts,
    from_bundle,
    from_runs,
    predict_features,
    store_features,
)
from genrescope.lab.evaluation.scoring import items_of, score_items
from genrescope.lab.training.recipe import Recipe
from genrescope.lab.training.run import Run
from genrescope.model import Bundle, Classifier, Clip


@pytest.mark.slow
def test_a_run_is_judged_as_its_training_judged_it(tmp_path: Path) -> None:
    store = bands_store()
    split = make_split("tracks", store.facts, n_folds=3)
    recipe = Recipe(net="cnn", options={"width": 4}, window_s=1.5, epochs=2, batch_size=16, ema=0.9)
    training = begin(store, split, recipe, fold=1, seed=0, out=tmp_path / "run")
    training.run()
    model = from_runs([Run.load(tmp_path / "run")])
    predict = predict_features(model, store_features(store, model.config))
    members = split.folds[1].valid
    found = score_items(items_of(split, members, store.facts, predict), model.labels)
    best = training.history[training.best]
    assert found.track.log_loss == pytest.approx(best.valid_loss, abs=0.02)
    assert found.track.accuracy.value == pytest.approx(best.valid_accuracy)
    assert model.learned is not None
    assert set(model.learned) == set(split.folds[1].train)
    with pytest.raises(GenrescopeError, match="the model needs"):
        store_features(store, FeatureConfig())


def test_a_bundle_is_evaluated_on_features_as_it_classifies(tiny_bundle: Path) -> None:
    bundle = Bundle.load(tiny_bundle)
    clip = np.random.default_rng(0).normal(-40, 6, (128, 200)).astype(np.float32)
    clip[:, :30] = clip[:, 90:110] = -120
    prediction = Classifier(bundle).classify_features(Clip(clip, 15.5, ()))
    answer = from_bundle(bundle).answer(clip)
    np.testing.assert_allclose(answer.clip_probs, prediction.clip_probs, atol=1e-5)
    # A window of a protocol is judged as it was cut.
    assert len(from_bundle(bundle).answer(clip, (0.0, 2.0)).probs) == 1


@pytest.mark.slow
def test_runs_of_one_fold_answer_together(tmp_path: Path) -> None:
    store = bands_store()
    split = make_split("tracks", store.facts, n_folds=3)
    recipe = Recipe(net="cnn", options={"width": 4}, window_s=1.5, epochs=1, batch_size=16)
    for seed in (0, 1):
        begin(store, split, recipe, fold=0, seed=seed, out=tmp_path / str(seed)).run()
    runs = [Run.load(tmp_path / str(seed)) for seed in (0, 1)]
    both, first, second = from_runs(runs), from_runs(runs[:1]), from_runs(runs[1:])
    rng = np.random.default_rng(0)
    shape = (3, first.config.n_bins, first.windowing.window_length)
    windows = rng.normal(size=shape).astype(np.float32)
    logits = [model.net(windows).logits for model in (first, second)]
    assert both.net(windows).logits == pytest.approx((logits[0] + logits[1]) / 2, abs=1e-5)
    assert not np.allclose(*logits)
    assert both.name == "0 + 1"


def test_an_excerpt_is_a_part_of_its_track_at_a_place_of_its_own() -> None:
    store = bands_store()
    of_track = store_features(store, store.config)
    seconds = 1.0
    n_frames = round(seconds * store.config.frame_rate)
    cut = Excerpts(seconds).cut(of_track, store.config)
    starts = set()
    for track in store.facts:
        whole, part = of_track(track), cut(track)
        assert part.shape == (len(whole), n_frames)
        np.testing.assert_array_equal(part, cut(track))
        places = range(whole.shape[1] - n_frames + 1)
        starts |= {at for at in places if np.array_equal(whole[:, at : at + n_frames], part)}
    assert len(starts) > 3
    everything = Excerpts(1e4).cut(of_track, store.config)
    np.testing.assert_array_equal(everything(store.facts[0]), of_track(store.facts[0]))
