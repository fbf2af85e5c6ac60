"""Tables: each figure is its cell's, and seeds are pooled by track."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genrescope.lab.metrics import score
from genrescope.reproduction.paired_bootstrap import TASK_PAIRS, differences
from genrescope.reproduction.results import read_results
from genrescope.reproduction.tables import INPUT_NAMES, make_tables


@pytest.mark.slow
def test_every_figure_of_the_tables_is_its_cell_s(folder: Path) -> None:
    results = read_results(folder)
    page = (folder / "report.html").read_text()
    n, kinds = 0, {name: kind for kind, name in INPUT_NAMES.items()}
    for name, table in (("nets", "cnn"), ("baselines", "knn-10")):
        with (folder / f"{name}.csv").open() as file:
            lines = [line for line in csv.DictReader(file) if line["model"] == table]
        assert {line["protocol"] for line in lines} == {"windows", "tracks"}
        for line in lines:
            result = results[f"{line['protocol']}/all-{kinds[line['input']]}/{table}/seed0"]
            scores = result[result["level"]]
            for key in ("accuracy", "precision", "recall", "f1"):
                assert float(line[key]) == pytest.approx(scores[key]["value"], abs=1e-6)
            assert f"<b>{scores['accuracy']['value']:.3f}</b>" in page
            assert line["leaky"] == ("yes" if line["protocol"] == "windows" else "no")
            n += 1
    assert n == 6


@pytest.mark.slow
def test_summaries_of_mel_and_of_sound_have_names_of_their_own(folder: Path) -> None:
    results = {k: r for k, r in read_results(folder).items() if r["model"] == "logistic"}
    of_sound = {k.replace("all-", "audio-"): r | {"data": "audio"} for k, r in results.items()}
    tables = {table.name: table for table in make_tables(results | of_sound)}
    (mel,), (sound,) = tables["field"].rows, tables["input-baselines"].rows
    assert (mel.input, sound.input) == ("summary of the mel", "summary features")


@pytest.mark.slow
def test_the_voting_cnn_counts_windows(folder: Path) -> None:
    results = read_results(folder)
    field = next(t for t in make_tables(results) if t.name == "field")
    hard, mean = (row for row in field.rows if row.model.startswith("voting"))
    result = results["tracks/all-mel/cnn/seed0"]
    assert hard.entries["tracks"].scores == result["hard"]
    assert mean.entries["tracks"].scores == result["track"]
    assert {row.model for row in field.rows} >= {"logistic", "src"}
    published = {row.model: row.published for row in field.rows}
    assert published["src"] is not None
    assert published["logistic"] is None


def _seed(number: int, hits: list[bool], model: str = "cnn") -> dict[str, Any]:
    labels = [0] * len(hits)
    probs = [[0.9, 0.1] if hit else [0.1, 0.9] for hit in hits]
    return {
        **{"protocol": "tracks", "data": "all", "input": "mel", "model": model, "seed": number},
        **{"recipe": None, "level": "track", "part": "test", "folds": [1, 5], "seconds": 1.0},
        **{"labels": ["a", "b"], "confusion": [[sum(hits), len(hits) - sum(hits)], [0, 0]]},
        **dict.fromkeys(("track", "hard"), score(np.array(labels), np.array(probs)).to_dict()),
        "answers": {
            "members": [f"t{i}" for i in range(len(hits))],
            "labels": labels,
            "probs": probs,
        },
    }


def test_seeds_are_pooled_and_tracks_drawn_whole() -> None:
    hits = [[True] * 10 + [False] * 10, [True] * 16 + [False] * 4]
    results = {str(k): _seed(k, of_seed) for k, of_seed in enumerate(hits)}
    row = make_tables(results)[0].rows[0].entries["tracks"]
    assert row.n_seeds == 2
    assert row.n == 20
    assert row.by_seed == (0.5, 0.8)
    assert row.scores["accuracy"]["value"] == pytest.approx(0.65)
    pooled = row.scores["accuracy"]["high"] - row.scores["accuracy"]["low"]
    rows = [t for of_seed in hits for t in of_seed]
    probs = np.array([[0.9, 0.1] if hit else [0.1, 0.9] for hit in rows])
    apart = score(np.zeros(40, int), probs).accuracy
    assert pooled > apart.high - apart.low


def test_what_another_task_brings_is_a_row_and_a_difference() -> None:
    hits = [True] * 10 + [False] * 10
    helped = [True] * 14 + [False] * 6
    results = {
        "alone": _seed(0, hits, "genre"),
        "both": _seed(0, helped, "genre+tempo+key"),
        "other": _seed(0, hits),
    }
    table = next(t for t in make_tables(results) if t.name == "tasks")
    assert [row.model for row in table.rows] == ["genre", "genre+tempo+key"]
    (found,) = differences(results, TASK_PAIRS)
    assert (found.ahead, found.behind) == ("genre+tempo+key", "genre")
    assert found.accuracy.value == pytest.approx(0.2)
    assert found.accuracy.low > 0
    assert differences(results) == []
