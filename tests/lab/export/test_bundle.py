"""From runs to a bundle: what it answers is what the nets answer."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from genrescope.data.splits import everything, make_split
from genrescope.data.store import FeatureStore
from genrescope.data.track import Track
from genrescope.errors import BundleError, GenrescopeError
from genrescope.features.config import STORE_CONFIG, WAVEFORM_CONFIG
from genrescope.lab.export import bundle as bundle_module
from genrescope.lab.export import novelty
from genrescope.lab.export.bundle import DOUBTFUL, Whitened, _catalogue, export_bundle, export_runs
from genrescope.lab.export.conformal import measure
from genrescope.lab.export.evidence import (
    Evidence,
    clips_of,
    degradation_rows,
    gather,
    mean_probabilities,
    metric_rows,
    windowing_of,
)
from genrescope.lab.export.novelty import COUNTEREXAMPLES, made_clips
from genrescope.lab.inference import predict
from genrescope.lab.metrics import Interval, fit_temperature
from genrescope.lab.robustness.robustness import Degraded
from genrescope.lab.training.recipe import Recipe
from genrescope.lab.training.run import Run
from genrescope.lab.training.train import begin
from genrescope.model.classifier import Classifier
from genrescope.model.clip import Clip
from genrescope.model.novelty import NoMusic
from genrescope.model.similar import Catalogue

RECIPE = Recipe(
    net="compact",
    options={"width": 4},
    window_s=2.0,
    epochs=3,
    excerpts=4,
    batch_size=16,
    lr=5e-3,
    ema=0.9,
)
ABOUT = {"name": "bands", "licence": "CC0-1.0", "created": "2026-01-01", "command": "export"}


@pytest.fixture(scope="module", autouse=True)
def few_counterexamples() -> Iterator[None]:
    """What is no music is tested elsewhere."""
    made_clips.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        for kind, (_, make) in COUNTEREXAMPLES.items():
            patch.setitem(COUNTEREXAMPLES, kind, (5, make))
        patch.setattr(novelty, "MELODIES", (5, novelty.MELODIES[1]))
        fit = bundle_module.fit_no_music
        fitted: dict[tuple[int, tuple[str, ...]], NoMusic] = {}

        def fit_once(store: FeatureStore, tracks: Sequence[str]) -> NoMusic:
            key = (id(store), tuple(tracks))
            if key not in fitted:
                fitted[key] = fit(store, tracks)
            return fitted[key]

        patch.setattr(bundle_module, "fit_no_music", fit_once)
        yield
    made_clips.cache_clear()


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
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


@pytest.mark.slow
@pytest.mark.parametrize("names", [("a",), ("a", "b")])
def test_the_bundle_answers_as_the_nets_do(
    store: FeatureStore, runs: dict[str, Run], tmp_path: Path, names: tuple[str, ...]
) -> None:
    chosen = [runs[name] for name in names]
    bundle = export_bundle(chosen, store, tmp_path, **ABOUT)
    classifier = Classifier(bundle)
    data = gather(chosen, store)[0]
    probs = mean_probabilities(data.logits, bundle.temperature)
    for member, expected in zip(data.members, probs, strict=True):
        said = classifier.classify_features(Clip(store.get(member), 6.0, ()))
        assert said.clip_probs == pytest.approx(expected, abs=1e-4)
    assert bundle.metrics[0]["accuracy"] == pytest.approx((probs.argmax(1) == data.labels).mean())
    assert bundle.training["tracks"] == list(runs["a"].fold.train)
    assert bundle.no_music is not None
    assert bundle.no_music.figures["music"] <= 0.1


@pytest.mark.slow
def test_clips_are_judged_by_longer_windows_than_were_learned(
    store: FeatureStore, runs: dict[str, Run], tmp_path: Path
) -> None:
    bundle = export_bundle([runs["a"]], store, tmp_path / "x", window_s=3.0, **ABOUT)
    assert (bundle.window_s, bundle.hop_s) == (3.0, 3.0)
    data = gather([runs["a"]], store, window_s=3.0)[0]
    assert {len(some) for some in data.logits} == {2}  # of 80 frames at 12.9 a second
    probs = mean_probabilities(data.logits, bundle.temperature)
    classifier = Classifier(bundle)
    for member, expected in zip(data.members, probs, strict=True):
        said = classifier.classify_features(Clip(store.get(member), 6.0, ()))
        assert said.clip_probs == pytest.approx(expected, abs=1e-4)
    valid = gather([runs["a"]], store, parts=("valid",), window_s=3.0)[0]
    assert bundle.temperature == pytest.approx(fit_temperature(valid.logits, valid.labels))
    surest = mean_probabilities(valid.logits, bundle.temperature).max(axis=1)
    assert bundle.thresholds["uncertain"] == pytest.approx(np.quantile(surest, DOUBTFUL))
    clip = Clip(store.get(data.members[0]), 6.0, ())
    usual = export_bundle([runs["a"]], store, tmp_path / "y", **ABOUT)
    assert usual.window_s == RECIPE.window_s
    # Not the temperature: that of so short a training may stand at its bound for both.
    assert usual.thresholds["uncertain"] != bundle.thresholds["uncertain"]
    short, long = (Classifier(one).classify_features(clip) for one in (usual, bundle))
    assert [len(said.times) for said in (short, long)] == [3, 2]
    # A timeline's steps are about as long as what was learned from.
    assert [len(said.step_times) for said in (short, long)] == [3, 4]
    np.testing.assert_allclose(short.step_probs, short.probs, atol=1e-5)
    with pytest.raises(GenrescopeError, match=r"windows of 0.5 s are 6 frames here; compact needs"):
        export_bundle([runs["a"]], store, tmp_path / "z", window_s=0.5, **ABOUT)
    assert not (tmp_path / "z").exists()


@pytest.mark.slow
def test_a_run_on_everything_needs_evidence_from_others(
    store: FeatureStore, runs: dict[str, Run], tmp_path: Path
) -> None:
    with pytest.raises(GenrescopeError, match="held nothing out"):
        export_bundle([runs["all"]], store, tmp_path / "none", **ABOUT)
    bundle = export_bundle(
        [runs["all"]], store, tmp_path / "b", evidence=[runs["a"], runs["c"]], **ABOUT
    )
    assert bundle.training["tracks"] == list(store.tracks)
    held_out = len(runs["a"].fold.test) + len(runs["c"].fold.test)
    assert [row["n"] for row in bundle.metrics] == [held_out]
    assert bundle.metrics[0]["part"] == "test"


@pytest.mark.slow
def test_sets_hold_the_true_genre_and_not_every_one(
    store: FeatureStore, runs: dict[str, Run], tmp_path: Path
) -> None:
    evidence = [runs["d"], runs["e"]]
    bundle = export_bundle([runs["all"]], store, tmp_path, evidence=evidence, **ABOUT)
    assert bundle.thresholds["set"] < 1
    judged = gather(evidence, store, last=True)[0]
    probs = mean_probabilities(judged.logits, bundle.temperature)
    sets = measure(judged.labels, probs, bundle.thresholds["set"])
    assert sets.coverage >= 0.9
    assert sets.size < 3


@pytest.mark.slow
def test_nets_of_two_kinds_ship_together(
    store: FeatureStore, runs: dict[str, Run], tmp_path: Path
) -> None:
    split = make_split("tracks", store.facts, n_folds=3)
    recipe = replace(RECIPE, net="cnn", options={"width": 4}, epochs=1)
    begin(store, split, recipe, fold=0, seed=0, out=tmp_path / "run").run()
    chosen = [runs["a"], Run.load(tmp_path / "run")]
    bundle = export_bundle(chosen, store, tmp_path / "bundle", **ABOUT)
    assert bundle.training["net"] == "compact + cnn"
    assert [one["net"] for one in bundle.training["recipe"]] == ["compact", "cnn"]
    data = gather(chosen, store)[0]
    probs = mean_probabilities(data.logits, bundle.temperature)
    for member, expected in zip(data.members, probs, strict=True):
        said = Classifier(bundle).classify_features(Clip(store.get(member), 6.0, ()))
        assert said.clip_probs == pytest.approx(expected, abs=1e-4)


def test_a_store_of_another_front_end_is_refused(
    store: FeatureStore, runs: dict[str, Run], tmp_path: Path
) -> None:
    other = replace(store, config=replace(store.config, hop_length=512))
    with pytest.raises(GenrescopeError, match="Name the store that it was trained on"):
        export_bundle([runs["a"]], other, tmp_path, **ABOUT)


def _with_a_best_epoch_that_is_wrong(run: Run, folder: Path) -> Run:
    """The run with weights kept as the best ones that mix up all genres; its checkpoint stays."""
    shutil.copytree(run.path, folder)
    state = run.net().state_dict()
    for key in ("head.weight", "head.bias"):
        state[key] = state[key].roll(1, 0)
    torch.save(state, folder / "best.pt")
    return Run.load(folder)


@pytest.mark.slow
def test_what_ships_its_last_epoch_is_judged_by_the_last_of_its_evidence(
    store: FeatureStore, runs: dict[str, Run], tmp_path: Path
) -> None:
    run = _with_a_best_epoch_that_is_wrong(runs["a"], tmp_path / "run")
    everything = export_bundle([runs["all"]], store, tmp_path / "all", evidence=[run], **ABOUT)
    best = export_bundle([run], store, tmp_path / "best", **ABOUT)
    last = export_bundle([run], store, tmp_path / "last", last=True, **ABOUT)
    assert everything.metrics == last.metrics != best.metrics
    assert everything.temperature == last.temperature
    assert last.files["model.onnx"] != best.files["model.onnx"]


def test_the_last_epoch_of_a_run_without_its_checkpoint_is_missed(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    shutil.copytree(runs["a"].path, tmp_path / "run", ignore=shutil.ignore_patterns("check*"))
    with pytest.raises(GenrescopeError, match=r"checkpoint\.pt: cannot be read"):
        Run.load(tmp_path / "run").net(last=True)


def test_no_temperature_is_fitted_on_a_test_part(
    store: FeatureStore, runs: dict[str, Run], tmp_path: Path
) -> None:
    bundle = export_bundle([runs["a"]], store, tmp_path, **ABOUT)
    assert bundle.metrics[0]["part"] == "test"
    (valid,) = gather([runs["a"]], store, parts=("valid",))
    assert bundle.temperature == pytest.approx(fit_temperature(valid.logits, valid.labels))


@pytest.mark.slow
def test_a_clip_of_two_valid_parts_is_calibrated_on_by_one_fold_s_nets_at_a_time(
    store: FeatureStore, runs: dict[str, Run], tmp_path: Path
) -> None:
    split = make_split("tracks", store.facts, n_folds=3)
    first, second = split.folds[:2]
    shared = tuple(m for m in first.valid if m not in second.test)
    train = tuple(m for m in (*second.train, *second.valid) if m not in shared)
    split = replace(split, folds=(first, replace(second, train=train, valid=shared)))
    begin(store, split, RECIPE, fold=1, seed=0, out=tmp_path / "run").run()
    evidence = [runs["a"], Run.load(tmp_path / "run")]
    valid = [gather([run], store, parts=("valid",), last=True)[0] for run in evidence]
    assert shared == valid[1].members
    bundle = export_bundle([runs["all"]], store, tmp_path / "b", evidence=evidence, **ABOUT)
    logits = [some for one in valid for some in one.logits]
    surest = mean_probabilities(logits, bundle.temperature).max(axis=1)
    assert bundle.thresholds["uncertain"] == pytest.approx(np.quantile(surest, DOUBTFUL))
    labels = np.concatenate([one.labels for one in valid])
    assert bundle.temperature == pytest.approx(fit_temperature(logits, labels))


def test_a_run_that_is_not_finished_neither_ships_nor_proves_nor_teaches(
    store: FeatureStore, runs: dict[str, Run], tmp_path: Path
) -> None:
    shutil.copytree(runs["a"].path, tmp_path / "run")
    metrics = tmp_path / "run" / "metrics.csv"
    metrics.write_text("".join(metrics.read_text().splitlines(keepends=True)[:-1]))
    stopped = Run.load(tmp_path / "run")
    with pytest.raises(GenrescopeError, match=r"run: is at epoch 2 of 3; .* --resume"):
        export_bundle([stopped], store, tmp_path / "b", **ABOUT)
    with pytest.raises(GenrescopeError, match="is at epoch 2 of 3"):
        export_bundle([runs["all"]], store, tmp_path / "b", evidence=[stopped], **ABOUT)
    split = make_split("tracks", store.facts, n_folds=3)
    for parents in ({"teachers": [stopped]}, {"start": stopped}):
        with pytest.raises(GenrescopeError, match="is at epoch 2 of 3"):
            begin(store, split, RECIPE, fold=0, seed=2, out=tmp_path / "pupil", **parents)
    assert not (tmp_path / "b").exists()
    assert not (tmp_path / "pupil").exists()
    metrics.write_text("epoch,nonsense\n1,2\n")
    with pytest.raises(GenrescopeError, match=r"metrics\.csv: is damaged"):
        export_bundle([stopped], store, tmp_path / "b", **ABOUT)


HALL = Degraded("hall", 98, Interval(0.5, 0.4, 0.6), 0.1, "b", 0.25, 0.2, {"uncertain": 0.1})


def _report(tmp_path: Path, *, protocol: str = "tracks", **changed: object) -> Path:
    file = tmp_path / "degraded.json"
    rows = [HALL.to_dict() | changed]
    file.write_text(json.dumps({"split": {"protocol": protocol}, "degradations": rows}))
    return file


def test_degradations_are_read_from_what_evaluate_prints(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    assert degradation_rows(_report(tmp_path), [runs["a"]]) == [
        {"name": "hall", "n": 98, "drop": 0.1, "sink": "b", "sink_share": 0.25,
         "accuracy": 0.5, "low": 0.4, "high": 0.6, "flagged": {"uncertain": 0.1, "no music": 0.0}}
    ]  # fmt: skip


def test_degradations_of_another_model_are_refused(runs: dict[str, Run], tmp_path: Path) -> None:
    with pytest.raises(GenrescopeError, match=r"is of jazz, and the evidence of a, b, c"):
        degradation_rows(_report(tmp_path, sink="jazz"), [runs["a"]])
    with pytest.raises(GenrescopeError, match=r"is of artists, and the evidence of tracks"):
        degradation_rows(_report(tmp_path, protocol="artists"), [runs["a"]])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"degradations": [{}]}', '{"degradations": []}'])
def test_what_is_no_report_of_degradations_is_refused(
    runs: dict[str, Run], tmp_path: Path, text: str
) -> None:
    file = tmp_path / "other.json"
    file.write_text(text)
    with pytest.raises(GenrescopeError, match=r"other\.json: not what evaluate"):
        degradation_rows(file, [runs["a"]])


@pytest.mark.parametrize(
    "changed", [{"drop": float("nan")}, {"flagged": [1]}, {"accuracy": {"value": "x"}}, {"drop": 7}]
)
def test_damaged_degradations_are_refused(
    runs: dict[str, Run], tmp_path: Path, changed: dict[str, object]
) -> None:
    with pytest.raises(GenrescopeError, match="not what evaluate"):
        degradation_rows(_report(tmp_path, **changed), [runs["a"]])


def test_evidence_is_of_the_same_recipe_and_each_run_counts_once(
    store: FeatureStore, runs: dict[str, Run], tmp_path: Path
) -> None:
    split = make_split("tracks", store.facts, n_folds=3)
    other = replace(RECIPE, epochs=1)
    begin(store, split, other, fold=0, seed=0, out=tmp_path / "other").run()
    with pytest.raises(GenrescopeError, match=r"is no evidence for .*: they differ in recipe"):
        export_bundle(
            [runs["all"]], store, tmp_path / "x", evidence=[Run.load(tmp_path / "other")], **ABOUT
        )
    with pytest.raises(GenrescopeError, match="is named twice"):
        export_bundle([runs["a"], runs["a"]], store, tmp_path / "x", **ABOUT)
    assert not (tmp_path / "x").exists()


@pytest.mark.slow
def test_evidence_judges_as_many_nets_as_ship(
    store: FeatureStore, runs: dict[str, Run], tmp_path: Path
) -> None:
    a, b, c, of_all = runs["a"], runs["b"], runs["c"], runs["all"]
    with pytest.raises(GenrescopeError, match=r"2 judge t\d+, and 1 ship"):
        export_bundle([of_all], store, tmp_path / "x", evidence=[a, b, c], **ABOUT)
    begin(store, everything(store.facts), RECIPE, fold=0, seed=1, out=tmp_path / "all1").run()
    both = [of_all, Run.load(tmp_path / "all1")]
    with pytest.raises(GenrescopeError, match=r"1 judge t\d+, and 2 ship"):
        export_bundle(both, store, tmp_path / "x", evidence=[a, b, c], **ABOUT)
    with pytest.raises(GenrescopeError, match="is named twice"):
        export_bundle(both, store, tmp_path / "x", evidence=[a, a], **ABOUT)
    bundle = export_bundle(both, store, tmp_path / "x", evidence=[a, b], **ABOUT)
    assert bundle.training["command"].count("; ") == 1
    assert bundle.training["recipe"] == of_all.config["recipe"]


@pytest.mark.slow
def test_what_was_taught_is_shown_by_what_was_taught_alike(
    store: FeatureStore, runs: dict[str, Run], tmp_path: Path
) -> None:
    splits = {"all": everything(store.facts), "a": make_split("tracks", store.facts, n_folds=3)}
    recipe = replace(RECIPE, epochs=1)
    for name, split in splits.items():
        begin(
            store, split, recipe, fold=0, seed=0, out=tmp_path / name,
            command=f"taught {name}", teachers=[runs[name]],
        ).run()  # fmt: skip
    ships, shows = (Run.load(tmp_path / name) for name in splits)
    with pytest.raises(GenrescopeError, match="differ in recipe, teachers"):
        export_bundle([ships], store, tmp_path / "x", evidence=[runs["a"]], **ABOUT)
    bundle = export_bundle([ships], store, tmp_path / "x", evidence=[shows], **ABOUT)
    assert bundle.training["command"] == f"{runs['all'].config['command']}; taught all"
    assert bundle.metrics[0]["command"] == f"{runs['a'].config['command']}; taught a"


def test_a_folder_of_something_else_is_left_alone(
    store: FeatureStore, runs: dict[str, Run], tmp_path: Path
) -> None:
    (tmp_path / "poem.txt").write_text("mine")
    for out in (tmp_path, tmp_path / "poem.txt"):
        with pytest.raises(BundleError, match=r"holds something else|is a file"):
            export_bundle([runs["a"]], store, out, **ABOUT)
    assert [path.name for path in tmp_path.iterdir()] == ["poem.txt"]


def test_a_track_without_a_title_is_called_as_its_file(
    store: FeatureStore, runs: dict[str, Run], tmp_path: Path
) -> None:
    ids = [f"fado/live/{track.track_id}.mp3" for track in store.facts[:1]]
    facts = (replace(store.facts[0], track_id=ids[0], title=None), *store.facts[1:])
    untitled = replace(store, facts=facts)
    bundle = export_bundle([runs["a"]], store, tmp_path / "a", **ABOUT)
    assert Catalogue.load(bundle).title[0].startswith("title")
    net = Whitened(runs["a"].net(), np.eye(48, dtype=np.float32), size=4).eval()
    outputs = predict(net, clips_of(runs["a"], untitled, ids), windowing_of(runs["a"]))
    raw = _catalogue(ids, outputs, untitled.facts)
    with np.load(io.BytesIO(raw)) as catalogue:
        assert catalogue["title"].tolist() == ["t0"]


def test_calibration_is_measured_by_other_artists_temperatures() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 400)
    sure = 3.0 * np.eye(3)[labels] + rng.standard_normal((400, 3))
    # The second half is ten times too sure of itself: a temperature of its own would mend that.
    sure[200:] *= 10
    members = tuple(f"t{i}" for i in range(400))
    facts = [Track(m, "abc"[y], artist=str(i // 200)) for i, (m, y) in
             enumerate(zip(members, labels, strict=True))]  # fmt: skip
    one = Evidence("artists", "test", members, labels, [z[None] for z in sure.astype(np.float32)],
                   ("made",), "2026-01-01")  # fmt: skip
    (across,) = metric_rows([one], 1.0, facts)
    own = replace(one, members=members[:200], labels=labels[:200],
                              logits=one.logits[:200])  # fmt: skip
    (alone,) = metric_rows([own], 1.0, facts)
    assert across["calibration_error"] > alone["calibration_error"] + 0.02


def test_joint_folds_tell_of_gtzan_and_of_the_world_beyond() -> None:
    inside = ["blues.00000", "rock.00016", "rock.00017", "blues.00020"]
    outside = [f"more.{i}" for i in range(6)]
    genres = ["blues", "rock", "rock", "blues", *["blues", "rock"] * 3]
    labels = np.array([genre == "rock" for genre in genres]).astype(np.int64)
    logits = 4.0 * np.eye(2, dtype=np.float32)[labels]
    logits[4] = logits[5]  # one blues beyond is called rock
    facts = [
        Track(name, genre, artist=f"artist {i}")
        for i, (name, genre) in enumerate(zip([*inside, *outside], genres, strict=True))
    ]
    one = Evidence(
        "world", "test", tuple(t.track_id for t in facts), labels, list(logits[:, None]),
        ("made",), "2026-01-01",
    )  # fmt: skip
    gtzan_row, world_row = metric_rows([one], 1.0, facts)
    assert (gtzan_row["protocol"], gtzan_row["n"], gtzan_row["accuracy"]) == ("artists", 4, 1.0)
    assert (world_row["protocol"], world_row["n"]) == ("world", 6)
    assert world_row["accuracy"] == pytest.approx(5 / 6)
    assert world_row["recall"] == pytest.approx(5 / 6, abs=1e-3)
    assert world_row["recalls"] == {"blues": 0.67, "rock": 1.0}


def test_a_card_tells_how_often_a_set_of_one_genre_is_right() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 2
    logits = np.where(np.arange(400)[:, None] < 300, 8.0, 0.1) * np.eye(2)[labels]
    logits[:20] = 8.0 * np.eye(2)[1]  # blues that are called rock, without a doubt
    logits += 0.01 * rng.normal(size=logits.shape)
    facts = [
        Track(f"t{i}", "blues" if y == 0 else "rock", artist=f"artist {i // 2}")
        for i, y in enumerate(labels)
    ]
    held = Evidence(
        "artists", "test", tuple(t.track_id for t in facts), labels,
        list(logits[:, None].astype(np.float32)), ("made",), "2026-01-01",
    )  # fmt: skip
    (row,) = metric_rows([held], 1.0, facts)
    assert 0.7 <= row["single_share"] <= 1.0
    assert row["single_precisions"]["blues"] > row["single_precisions"]["rock"]
    assert row["single_precisions"]["rock"] == pytest.approx(140 / 150, abs=0.05)
    assert row["odd_share"] == pytest.approx(10 / 400, abs=0.005)


@pytest.mark.slow
def test_a_track_is_the_nearest_to_itself(
    store: FeatureStore, runs: dict[str, Run], tmp_path: Path
) -> None:
    bundle = export_bundle([runs["all"]], store, tmp_path, evidence=[runs["a"]], **ABOUT)
    catalogue, classifier = Catalogue.load(bundle), Classifier(bundle)
    assert len(catalogue) == len(store)
    for track in ("t0", "t7", "t20"):
        said = classifier.classify_features(Clip(store.get(track), 6.0, ()))
        best = catalogue.nearest(said.embedding, n=1)[0]
        assert best.track_id == track
        assert best.similarity > 0.99


def test_seeds_of_one_fold_are_averaged_and_folds_joined(
    store: FeatureStore, runs: dict[str, Run]
) -> None:
    (both,) = gather([runs["a"], runs["b"], runs["c"]], store)
    assert len(both.members) == len(runs["a"].fold.test) + len(runs["c"].fold.test)
    clips = list(clips_of(runs["a"], store, runs["a"].fold.test[:1]))
    windowing = windowing_of(runs["a"])
    first, second = (predict(runs[name].net(), clips, windowing)[0].logits for name in ("a", "b"))
    assert both.logits[0] == pytest.approx((first + second) / 2, abs=1e-5)


def test_runs_of_other_inputs_do_not_ship_together(
    store: FeatureStore, runs: dict[str, Run], tmp_path: Path
) -> None:
    split = make_split("tracks", store.facts, n_folds=3)
    other = replace(RECIPE, window_s=1.5, epochs=1)
    begin(store, split, other, fold=0, seed=0, out=tmp_path / "other").run()
    with pytest.raises(GenrescopeError, match="other inputs"):
        export_bundle([runs["a"], Run.load(tmp_path / "other")], store, tmp_path / "b", **ABOUT)


def test_what_cannot_be_exported_is_refused_before_anything_is_computed(
    store: FeatureStore, runs: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_late(*_: object, **__: object) -> None:
        raise AssertionError("it computes")

    monkeypatch.setattr(bundle_module, "gather", too_late)
    raw = replace(runs["a"], config={**runs["a"].config, "features": WAVEFORM_CONFIG.to_dict()})
    part = replace(store, facts=store.facts[:-9], _clips=store._clips[:-9])
    last = store.facts[-1].track_id
    refused = [
        ([raw], store, ABOUT, r"learned from waveforms, and a bundle classifies spectrograms"),
        ([runs["all"]], store, ABOUT, "held nothing out"),
        ([runs["a"]], part, ABOUT, r"of its tracks are not in bands, such as t(\d+)"),
        ([runs["a"]], store, {**ABOUT, "name": "two\x07"}, "control characters"),
        ([runs["a"]], store, {**ABOUT, "licence": " "}, "licence ' ' is not a text"),
    ]
    assert last not in part.tracks
    for chosen, music, about, message in refused:
        with pytest.raises(GenrescopeError, match=message):
            export_bundle(chosen, music, tmp_path / "x", **about)
    assert not (tmp_path / "x").exists()


def test_runs_are_exported_from_their_folders(
    store: FeatureStore, runs: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_module.FeatureStore, "load", lambda path: store)
    degraded = _report(tmp_path)
    bundle = export_runs(
        [runs["all"].path],
        [tmp_path / "store"],
        tmp_path / "x",
        name="bands",
        licence="CC0-1.0",
        command="export",
        evidence=[runs["a"].path],
        degradations=degraded,
    )
    assert bundle.training["export"] == "export"
    assert [row["name"] for row in bundle.degradations] == ["hall"]
    assert bundle.metrics[0]["command"] == "a"
