"""Reports of an evaluation: what is said of several trials together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from lab_makers import HALL

from genrescope.data.fold import Fold
from genrescope.data.splits import Split
from genrescope.data.track import Track
from genrescope.lab.evaluation.models import WindowAnswer
from genrescope.lab.evaluation.overlap import Overlap
from genrescope.lab.evaluation.report import Report, RobustnessReport, Trial
from genrescope.lab.evaluation.scoring import Item, score_items

LABELS = ("fado", "polka")


def answer(track: Track, spans: Sequence[tuple[float, float] | None]) -> list[WindowAnswer]:
    rows = np.eye(2)[[LABELS.index(track.genre)]]
    return [WindowAnswer(rows) for _ in spans]


def trial(fold: int, overlap: Overlap | None) -> Trial:
    """Two clips that a model answers rightly, on a fold of three."""
    tracks = [Track(f"{fold}{genre}", genre, f"artist {genre}") for genre in LABELS]
    items = tuple(Item(track.track_id, track, None, answer) for track in tracks)
    folds = tuple(Fold((f"x{n}",), (), (f"{n}fado", f"{n}polka")) for n in range(3))
    split = Split("tracks", 7, folds, excluded={"e": "a repeat"}, absent=("gone",))
    return Trial(f"net {fold}", LABELS, split, fold, "test", items, overlap)


def report(*overlaps: Overlap | None) -> dict[str, Any]:
    trials = tuple(trial(fold, overlap) for fold, overlap in enumerate(overlaps))
    items = [item for of_fold in trials for item in of_fold.items]
    found = Report(score_items(items, LABELS, seed=0), trials, "a folder")
    assert found.title.endswith(f"fold {list(range(len(trials))) if trials[1:] else 0}, test")
    return found.to_dict()


NOTHING = Overlap((), (), ())


def test_folds_and_models_of_several_trials_are_listed() -> None:
    alone, both = report(NOTHING), report(NOTHING, NOTHING)
    assert (alone["model"], alone["split"]["fold"]) == ("net 0", 0)
    assert (both["model"], both["split"]["fold"]) == ("net 0, net 1", [0, 1])
    assert both["track"]["n"] == 4
    shared = {"protocol": "tracks", "seed": 7, "part": "test", "absent": 1, "excluded": 1}
    assert shared.items() <= both["split"].items()


def test_what_was_learned_is_told_of_all_trials_or_of_none() -> None:
    first, second = Overlap(("b", "a"), (), ("Ann",)), Overlap(("a",), ("r",), ())
    assert report(first, second)["seen"] == {
        "tracks": ["a", "b"],
        "repeats": ["r"],
        "artists": ["Ann"],
        "untold": [],
    }
    assert report(first, None)["seen"] is None


@pytest.mark.parametrize("failed", [{}, {"t": "it is silent"}])
def test_a_report_of_disturbances_names_what_it_left_out(failed: dict[str, str]) -> None:
    found = RobustnessReport((HALL,), failed, trial(2, NOTHING))
    written = found.to_dict()
    assert found.title.endswith("fold 2, test")
    assert (written["failed"], written["split"]["fold"]) == (failed, 2)
    assert written["degradations"] == [HALL.to_dict()]
