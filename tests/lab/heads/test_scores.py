from __future__ import annotations

import numpy as np
import pytest

from genrescope.lab.heads.scores import by_genre, figure, key_points, tempo_hits
from genrescope.model.key import KEYS


def test_tempi_count_within_four_percent_and_as_multiples() -> None:
    right, pulse = tempo_hits([100.0] * 8, [104, 104.1, 200, 50, 33.3, 312, 150, 75])
    assert right.tolist() == [True] + [False] * 7
    assert pulse.tolist() == [True, False, True, True, True, True, False, False]


@pytest.mark.parametrize(
    ("truth", "estimated", "points"),
    [
        ("C major", "C major", 1.0),
        ("C major", "G major", 0.5),
        ("C major", "F major", 0.0),  # a fifth below is no fifth above
        ("C major", "A minor", 0.3),
        ("A minor", "C major", 0.3),
        ("C major", "C minor", 0.2),
        ("A minor", "E minor", 0.5),
        ("A minor", "E major", 0.0),
        ("F♯ minor", "A major", 0.3),
    ],
)
def test_keys_get_the_points_of_mirex(truth: str, estimated: str, points: float) -> None:
    assert key_points([KEYS.index(truth)], [KEYS.index(estimated)]).tolist() == [points]


def test_both_agree_with_mir_eval() -> None:
    mir_eval = pytest.importorskip("mir_eval")
    spelt = [key.replace("♭", "b").replace("♯", "#") for key in KEYS]
    for truth in range(24):
        for found in range(24):
            ours = key_points([truth], [found])[0]
            assert ours == mir_eval.key.weighted_score(spelt[truth], spelt[found])
    rng = np.random.default_rng(0)
    for true, found in rng.uniform(60, 180, (50, 2)):
        reference = np.array([true, 1.0])
        hit = mir_eval.tempo.detection(reference, 0.5, np.array([found, found]), tol=0.04)[1]
        assert tempo_hits([true], [found])[0][0] == hit


def test_a_figure_lies_in_its_interval() -> None:
    found = figure([1, 1, 1, 0] * 25)
    assert found["n"] == 100
    assert found["value"] == 0.75
    assert 0.6 < found["low"] < 0.75 < found["high"] < 0.9
    assert figure([1, 0, 1], seed=3) == figure([1, 0, 1], seed=3)


def test_figures_by_genre() -> None:
    points = {"right": np.array([1.0, 0.0, 1.0])}
    assert by_genre(points, np.array(["jazz", "jazz", "rock"])) == {
        "jazz": {"right": 0.5},
        "rock": {"right": 1.0},
    }
