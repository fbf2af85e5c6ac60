"""Evaluation: levels, failures, and what a model has heard before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lab_makers import GENRES, bands_store

from genrescope.data import gtzan
from genrescope.data.fold import Fold
from genrescope.data.splits import Split, make_split
from genrescope.data.track import Track
from genrescope.errors import AudioError, GenrescopeError
from genrescope.features.config import FeatureConfig
from genrescope.lab.evaluation.evaluate import evaluate, questions, seen
from genrescope.lab.evaluation.models import (
    Predict,
    WindowAnswer,
    from_bundle,
    from_runs,
    predictor,
    store_features,
)
from genrescope.lab.training.recipe import Recipe
from genrescope.lab.training.run import Run
from genrescope.lab.training.train import begin
from genrescope.model import Bundle, Classifier, Clip

TRACKS = tuple(Track(f"{g}{i}", g, artist=f"{g} {i}") for g in GENRES for i in range(4))


def oracle(*, wrong: frozenset[str] = frozenset(), n_windows: int = 3) -> Predict:
    """Right, with probability 0.8, but for the tracks named."""

    def predict(track: Track, span: tuple[float, float] | None) -> WindowAnswer:
        k = GENRES.index(track.genre)
        probs = np.full((n_windows, 3), 0.1)
        probs[:, (k + 1) % 3 if track.track_id in wrong else k] = 0.8
        return WindowAnswer(probs)

    return predict


def whole(tracks: tuple[Track, ...] = TRACKS) -> Split:
    return Split("all", 0, (Fold((), (), tuple(t.track_id for t in tracks)),))


def test_both_levels_are_scored() -> None:
    split = whole()
    predict = oracle(wrong=frozenset({"fado0", "tango1", "tango2"}))
    found = evaluate(questions(split, split.folds[0].test, TRACKS, predict), GENRES)
    assert found.track.n == 12
    assert found.window.n == 36
    assert found.track.accuracy.value == pytest.approx(0.75)
    assert found.track.accuracy.low < 0.75 < found.track.accuracy.high
    assert found.track.calibration_error == pytest.approx(0.05)
    assert found.confusion.tolist() == [[3, 1, 0], [0, 4, 0], [2, 0, 2]]
    rows = {row["track"]: row for row in found.to_dict()["tracks"]}
    assert len(rows) == 12
    assert rows["fado0"] == {
        "track": "fado0",
        "genre": "fado",
        "predicted": "polka",
        "confidence": 0.8,
    }


def test_windows_are_asked_for_with_their_span_and_joined_into_tracks() -> None:
    store = bands_store(9, n_frames=200)
    split = make_split("windows", store.facts, n_folds=3)
    spans = {}

    def predict(track: Track, span: tuple[float, float] | None) -> WindowAnswer:
        spans.setdefault(track.track_id, []).append(span)
        return oracle(n_windows=1)(track, span)

    asked = questions(split, split.folds[0].test, store.facts, predict)
    found = evaluate(asked, GENRES)
    assert found.window.n == len(split.folds[0].test)
    assert found.track.n == len(spans) < found.window.n
    for track, some in spans.items():
        starts = {v for k, v in split.starts.items() if k.startswith(f"{track}#")}
        assert {span[0] for span in some} <= starts
        assert all(span[1] - span[0] == pytest.approx(3.0) for span in some)


def test_a_broken_file_is_left_out_and_named() -> None:
    def predict(track: Track, span: tuple[float, float] | None) -> WindowAnswer:
        if track.track_id == "polka1":
            raise AudioError("polka1", "it does not decode", "Fetch it again.")
        return oracle()(track, span)

    split = whole()
    found = evaluate(questions(split, split.folds[0].test, TRACKS, predict), GENRES)
    assert found.failed == {"polka1": "it does not decode"}
    assert found.track.n == 11


def test_a_silent_clip_counts_for_no_genre() -> None:
    def predict(track: Track, span: tuple[float, float] | None) -> WindowAnswer:
        if track.track_id == "fado1":
            return WindowAnswer(np.full((1, 3), 1 / 3), ("silent",))
        return oracle()(track, span)

    split = whole()
    found = evaluate(questions(split, split.folds[0].test, TRACKS, predict), GENRES)
    assert found.failed == {"fado1": "silent"}
    assert found.track.n == 11


def test_what_cannot_be_judged_is_an_error_in_words() -> None:
    split = whole()
    asked = questions(split, split.folds[0].test, TRACKS, oracle())
    with pytest.raises(GenrescopeError, match="does not know tango"):
        evaluate(asked, ("fado", "polka"))
    with pytest.raises(GenrescopeError, match="no clip could be judged"):
        evaluate([], GENRES)


def test_tracks_artists_and_repeats_that_were_learned_are_found() -> None:
    judged = [
        Track("a", "fado", artist="Amália"),
        Track("b", "fado", artist="The Amalia"),
        Track("c", "polka", artist="Someone", faults=("repeat:z",)),
        Track("d", "polka"),
    ]
    known = [Track("z", "polka"), Track("x", "fado", artist="amalia"), Track("u", "polka")]
    found = seen(["a", "x", "z", "u"], judged, known)
    assert found.tracks == ("a",)
    assert found.repeats == ("c",)
    assert found.artists == ("The Amalia",)
    assert found.untold == ("d",)
    assert not seen(["u"], judged, known)
    assert seen(["u"], judged, known).untold == ("a", "b", "c", "d")


def test_a_track_of_gtzan_is_known_in_a_folder_of_other_music() -> None:
    judged = [Track(f"blues/{name}", "blues") for name in ("blues.00000.flac", "mine.flac")]
    assert seen(["blues.00000"], judged).tracks == ("blues/blues.00000.flac",)
    assert seen(["jazz/blues.00000.wav"], judged).tracks == ("blues/blues.00000.flac",)
    assert seen(["blues.00001"], judged).tracks == ()


def test_an_artist_is_known_again_in_company() -> None:
    known = [Track("x", "fado", artist="Amália feat. Carlos"), Track("y", "fado", artist="Carlos")]
    judged = [
        Track("a", "fado", artist="Carlos & Maria"),
        Track("b", "fado", artist="Maria"),
        Track("c", "fado", artist="Amália"),
    ]
    assert seen(["x"], judged, known).artists == ("Carlos & Maria", "Amália")
    assert seen(["y"], judged, known).artists == ("Carlos & Maria",)
    assert seen(["x", "y"], judged, known).artists == ("Carlos & Maria", "Amália")


def test_artists_of_gtzan_are_known() -> None:
    one, two, *_ = [t for t in gtzan.tracks() if t.artist == "Bob Marley"]
    assert seen([one.track_id], [two]).artists == ("Bob Marley",)


def test_a_run_is_judged_as_its_training_judged_it(tmp_path: Path) -> None:
    store = bands_store()
    split = make_split("tracks", store.facts, n_folds=3)
    recipe = Recipe(net="cnn", options={"width": 4}, window_s=1.5, epochs=2, batch_size=16, ema=0.9)
    training = begin(store, split, recipe, fold=1, seed=0, out=tmp_path / "run")
    training.run()
    model = from_runs([Run.load(tmp_path / "run")])
    predict = predictor(model, store_features(store, model.config))
    members = split.folds[1].valid
    found = evaluate(questions(split, members, store.facts, predict), model.labels)
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
    said = Classifier(bundle).classify_features(Clip(clip, 15.5, ()))
    answer = from_bundle(bundle).answer(clip)
    np.testing.assert_allclose(answer.clip_probs, said.clip_probs, atol=1e-5)
    # A window of a protocol is judged as it was cut.
    assert len(from_bundle(bundle).answer(clip, (0.0, 2.0)).probs) == 1


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
