"""What held-out folds tell of a model: answers put together, figures, robustness from a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lab_makers import robustness_file

from genrescope.data.store import FeatureStore
from genrescope.data.track import Track
from genrescope.errors import GenrescopeError
from genrescope.lab.export.evidence import (
    Evidence,
    clips_of,
    degradation_rows,
    gather,
    metric_rows,
    windowing_of,
)
from genrescope.lab.inference import predict
from genrescope.lab.training.run import Run


@pytest.mark.slow
def test_degradations_are_read_from_what_evaluate_prints(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    assert degradation_rows(robustness_file(tmp_path), [runs["a"]]) == [
        {"name": "hall", "n": 98, "drop": 0.1, "sink": "b", "sink_share": 0.25,
         "accuracy": 0.5, "low": 0.4, "high": 0.6, "flagged": {"uncertain": 0.1, "no music": 0.0}}
    ]  # fmt: skip


@pytest.mark.slow
def test_degradations_of_another_model_are_refused(runs: dict[str, Run], tmp_path: Path) -> None:
    with pytest.raises(GenrescopeError, match=r"is about jazz, and the evidence about a, b, c"):
        degradation_rows(robustness_file(tmp_path, sink="jazz"), [runs["a"]])
    with pytest.raises(GenrescopeError, match=r"is about artists, and the evidence about tracks"):
        degradation_rows(robustness_file(tmp_path, protocol="artists"), [runs["a"]])


@pytest.mark.slow
@pytest.mark.parametrize("text", ["", "[]", "{}", '{"degradations": [{}]}', '{"degradations": []}'])
def test_what_is_no_report_of_degradations_is_refused(
    runs: dict[str, Run], tmp_path: Path, text: str
) -> None:
    file = tmp_path / "other.json"
    file.write_text(text)
    with pytest.raises(GenrescopeError, match=r"other\.json: not what evaluate"):
        degradation_rows(file, [runs["a"]])


@pytest.mark.slow
@pytest.mark.parametrize(
    "changed", [{"drop": float("nan")}, {"flagged": [1]}, {"accuracy": {"value": "x"}}, {"drop": 7}]
)
def test_damaged_degradations_are_refused(
    runs: dict[str, Run], tmp_path: Path, changed: dict[str, object]
) -> None:
    with pytest.raises(GenrescopeError, match="not what evaluate"):
        degradation_rows(robustness_file(tmp_path, **changed), [runs["a"]])


def test_calibration_is_measured_by_other_artists_temperatures() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 400)
    sure = 3.0 * np.eye(3)[labels] + rng.standard_normal((400, 3))
    # The second half is ten times too sure of itself: a temperature of its own would mend that.
    sure[200:] *= 10
    members = tuple(f"t{i}" for i in range(400))
    facts = [Track(m, "abc"[y], artist=str(i // 200)) for i, (m, y) in
             enumerate(zip(members, labels, strict=True))]  # fmt: skip
    logits = [of_clip[None] for of_clip in sure.astype(np.float32)]
    evidence = Evidence("artists", "test", members, labels, logits, ("made",), "2026-01-01")
    (across,) = metric_rows([evidence], 1.0, facts)
    own = replace(
        evidence, members=members[:200], labels=labels[:200], logits=evidence.logits[:200]
    )
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
    evidence = Evidence(
        "world", "test", tuple(t.track_id for t in facts), labels, list(logits[:, None]),
        ("made",), "2026-01-01",
    )  # fmt: skip
    gtzan_row, world_row = metric_rows([evidence], 1.0, facts)
    assert (gtzan_row["protocol"], gtzan_row["n"], gtzan_row["accuracy"]) == ("artists", 4, 1.0)
    assert (world_row["protocol"], world_row["n"]) == ("world", 6)
    assert world_row["accuracy"] == pytest.approx(5 / 6)
    assert world_row["recall"] == pytest.approx(5 / 6, abs=1e-3)
    assert world_row["recalls"] == {"blues": 0.67, "rock": 1.0}


@pytest.mark.slow
def test_seeds_of_one_fold_are_averaged_and_folds_joined(
    store: FeatureStore, runs: dict[str, Run]
) -> None:
    (both,) = gather([runs["a"], runs["b"], runs["c"]], store)
    assert len(both.members) == len(runs["a"].fold.test) + len(runs["c"].fold.test)
    clips = list(clips_of(runs["a"], store, runs["a"].fold.test[:1]))
    windowing = windowing_of(runs["a"])
    first, second = (predict(runs[name].net(), clips, windowing)[0].logits for name in ("a", "b"))
    assert both.logits[0] == pytest.approx((first + second) / 2, abs=1e-5)


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
