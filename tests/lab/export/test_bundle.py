"""From runs to a bundle: what it answers is what the nets answer."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lab_makers import SMALL_COMPACT as RECIPE
from lab_makers import begin, few_counterexamples, robustness_file

from genrescope.data.splits import everything, make_split
from genrescope.data.store import FeatureStore
from genrescope.data.track import Track
from genrescope.errors import BundleError, GenrescopeError
from genrescope.features.config import WAVEFORM_CONFIG
from genrescope.lab.export import bundle as bundle_module
from genrescope.lab.export.bundle import DOUBTFUL, Whitened, _catalogue, export_bundle, export_runs
from genrescope.lab.export.conformal import measure
from genrescope.lab.export.evidence import clips_of, gather, mean_probabilities, windowing_of
from genrescope.lab.inference import predict
from genrescope.lab.metrics import fit_temperature
from genrescope.lab.training.run import Run
from genrescope.model.classifier import Classifier
from genrescope.model.clip import Clip
from genrescope.model.inference import NetOutput
from genrescope.model.novelty import NoMusic
from genrescope.model.similar import Catalogue

ABOUT = {"name": "bands", "licence": "CC0-1.0", "created": "2026-01-01", "command": "export"}


@pytest.fixture(scope="module", autouse=True)
def quickly_fitted() -> Iterator[None]:
    """What is no music is tested elsewhere."""
    with few_counterexamples(5), pytest.MonkeyPatch.context() as patch:
        fit = bundle_module.fit_no_music
        fitted: dict[tuple[int, tuple[str, ...]], NoMusic] = {}

        def fit_once(store: FeatureStore, tracks: Sequence[str]) -> NoMusic:
            key = (id(store), tuple(tracks))
            if key not in fitted:
                fitted[key] = fit(store, tracks)
            return fitted[key]

        patch.setattr(bundle_module, "fit_no_music", fit_once)
        yield


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
        answer = classifier.classify_features(Clip(store.get(member), 6.0, ()))
        assert answer.clip_probs == pytest.approx(expected, abs=1e-4)
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
    assert {len(of_clip) for of_clip in data.logits} == {2}  # of 80 frames at 12.9 a second
    probs = mean_probabilities(data.logits, bundle.temperature)
    classifier = Classifier(bundle)
    for member, expected in zip(data.members, probs, strict=True):
        answer = classifier.classify_features(Clip(store.get(member), 6.0, ()))
        assert answer.clip_probs == pytest.approx(expected, abs=1e-4)
    valid = gather([runs["a"]], store, parts=("valid",), window_s=3.0)[0]
    assert bundle.temperature == pytest.approx(fit_temperature(valid.logits, valid.labels))
    surest = mean_probabilities(valid.logits, bundle.temperature).max(axis=1)
    assert bundle.thresholds["uncertain"] == pytest.approx(np.quantile(surest, DOUBTFUL))
    clip = Clip(store.get(data.members[0]), 6.0, ())
    usual = export_bundle([runs["a"]], store, tmp_path / "y", **ABOUT)
    assert usual.window_s == RECIPE.window_s
    # Not the temperature: that of so short a training may stand at its bound for both.
    assert usual.thresholds["uncertain"] != bundle.thresholds["uncertain"]
    short, long = (Classifier(made).classify_features(clip) for made in (usual, bundle))
    assert [len(answer.times) for answer in (short, long)] == [3, 2]
    # A timeline's steps are about as long as what was learned from.
    assert [len(answer.step_times) for answer in (short, long)] == [3, 4]
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
    assert [recipe["net"] for recipe in bundle.training["recipe"]] == ["compact", "cnn"]
    data = gather(chosen, store)[0]
    probs = mean_probabilities(data.logits, bundle.temperature)
    for member, expected in zip(data.members, probs, strict=True):
        answer = Classifier(bundle).classify_features(Clip(store.get(member), 6.0, ()))
        assert answer.clip_probs == pytest.approx(expected, abs=1e-4)


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_last_epoch_of_a_run_without_its_checkpoint_is_missed(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    shutil.copytree(runs["a"].path, tmp_path / "run", ignore=shutil.ignore_patterns("check*"))
    with pytest.raises(GenrescopeError, match=r"checkpoint\.pt: cannot be read"):
        Run.load(tmp_path / "run").net(last=True)


@pytest.mark.slow
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
    logits = [of_clip for part in valid for of_clip in part.logits]
    surest = mean_probabilities(logits, bundle.temperature).max(axis=1)
    assert bundle.thresholds["uncertain"] == pytest.approx(np.quantile(surest, DOUBTFUL))
    labels = np.concatenate([part.labels for part in valid])
    assert bundle.temperature == pytest.approx(fit_temperature(logits, labels))


@pytest.mark.slow
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


@pytest.mark.slow
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
    with pytest.raises(GenrescopeError, match=r"t\d+ was held out by 2, and 1 ship"):
        export_bundle([of_all], store, tmp_path / "x", evidence=[a, b, c], **ABOUT)
    begin(store, everything(store.facts), RECIPE, fold=0, seed=1, out=tmp_path / "all1").run()
    both = [of_all, Run.load(tmp_path / "all1")]
    with pytest.raises(GenrescopeError, match=r"t\d+ was held out by 1, and 2 ship"):
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


@pytest.mark.slow
def test_a_folder_of_something_else_is_left_alone(
    store: FeatureStore, runs: dict[str, Run], tmp_path: Path
) -> None:
    (tmp_path / "poem.txt").write_text("mine")
    for out in (tmp_path, tmp_path / "poem.txt"):
        with pytest.raises(BundleError, match=r"holds something else|is a file"):
            export_bundle([runs["a"]], store, out, **ABOUT)
    assert [path.name for path in tmp_path.iterdir()] == ["poem.txt"]


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("track_id", "artist", "title", "named"),
    [
        ("more.8883a1ae", "unknown (a__b.flac)", None, ("", "")),
        ("more.8883a1ae", "Unknown", "E", ("", "E")),
        ("fado/Ana - Mar.flac", "Unknown Mortal", None, ("Unknown Mortal", "Ana - Mar")),
    ],
)
def test_only_what_people_can_look_for_is_named(
    track_id: str, artist: str, title: str | None, named: tuple[str, str]
) -> None:
    track = Track(track_id, "fado", artist=artist, title=title)
    output = NetOutput(np.zeros((1, 2), np.float32), None, np.ones((1, 4), np.float32))
    with np.load(io.BytesIO(_catalogue([track_id], [output], [track]))) as catalogue:
        assert (catalogue["artist"][0], catalogue["title"][0]) == named


@pytest.mark.slow
def test_a_track_is_the_nearest_to_itself(
    store: FeatureStore, runs: dict[str, Run], tmp_path: Path
) -> None:
    bundle = export_bundle([runs["all"]], store, tmp_path, evidence=[runs["a"]], **ABOUT)
    catalogue, classifier = Catalogue.load(bundle), Classifier(bundle)
    assert len(catalogue) == len(store)
    for track in ("t0", "t7", "t20"):
        answer = classifier.classify_features(Clip(store.get(track), 6.0, ()))
        best = catalogue.nearest(answer.embedding, n=1)[0]
        assert best.track_id == track
        assert best.similarity > 0.99


@pytest.mark.slow
def test_runs_of_other_inputs_do_not_ship_together(
    store: FeatureStore, runs: dict[str, Run], tmp_path: Path
) -> None:
    split = make_split("tracks", store.facts, n_folds=3)
    other = replace(RECIPE, window_s=1.5, epochs=1)
    begin(store, split, other, fold=0, seed=0, out=tmp_path / "other").run()
    with pytest.raises(GenrescopeError, match="other inputs"):
        export_bundle([runs["a"], Run.load(tmp_path / "other")], store, tmp_path / "b", **ABOUT)


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there folders have no locks")
def test_a_second_export_into_a_folder_is_refused_before_it_computes(
    store: FeatureStore, runs: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_begun = 0

    def export_again(*_: object, **__: object) -> None:
        nonlocal n_begun
        n_begun += 1
        assert n_begun == 1, "the second export computes"
        export_bundle([runs["a"]], store, tmp_path / "x", **ABOUT)

    monkeypatch.setattr(bundle_module, "gather", export_again)
    with pytest.raises(BundleError, match="another process is writing to it"):
        export_bundle([runs["a"]], store, tmp_path / "x", **ABOUT)
    assert n_begun == 1
    assert not (tmp_path / "x").exists()


@pytest.mark.slow
def test_runs_are_exported_from_their_folders(
    store: FeatureStore, runs: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_module.FeatureStore, "load", lambda path: store)
    degraded = robustness_file(tmp_path)
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


@pytest.mark.slow
def test_a_bundle_in_whole_numbers_shows_the_figures_of_such_nets(
    store: FeatureStore, runs: dict[str, Run], tmp_path: Path
) -> None:
    evidence = [runs["a"], runs["c"]]
    bundle, floats = (
        export_bundle([runs["all"]], store, tmp_path / str(i), evidence=evidence, int8=i, **ABOUT)
        for i in (True, False)
    )
    assert "weights of 7" in bundle.training["arithmetic"]
    assert "arithmetic" not in floats.training
    judged, unrounded = (gather(evidence, store, last=True, int8=i)[0] for i in (True, False))
    assert judged.members == unrounded.members
    gaps = [np.abs(a - b).max() for a, b in zip(judged.logits, unrounded.logits, strict=True)]
    assert 0 < max(gaps) < 0.2 * np.std(np.concatenate(unrounded.logits))
    probs = mean_probabilities(judged.logits, bundle.temperature)
    assert bundle.metrics[0]["accuracy"] == pytest.approx((probs.argmax(1) == judged.labels).mean())
    assert bundle.thresholds != floats.thresholds
    # The catalogue has the embeddings of the net that ships.
    classifier = Classifier(bundle)
    answer = classifier.classify_features(Clip(store.get(store.tracks[0]), 6.0, ()))
    first = Catalogue.load(bundle).nearest(answer.embedding, n=1)[0]
    assert first.similarity == pytest.approx(1, abs=1e-3)
