"""The search: the probability rises, the same seed gives the same song, Ctrl-C keeps the best."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genrescope.dream.search import SECONDS, SR, Dream, dream
from genrescope.mastering.loudness import loudness, true_peak_db
from genrescope.model import Classifier


@pytest.fixture(scope="module")
def classifier(tiny_bundle: Path) -> Classifier:
    return Classifier.load(tiny_bundle, threads=1)


@pytest.mark.slow
def test_the_probability_never_falls_and_the_seed_decides(classifier: Classifier) -> None:
    told: list[tuple[int, float]] = []
    first = dream(
        classifier, "rock", seed=3, steps=6, report=lambda n, best: told.append((n, best.worth))
    )
    again = dream(classifier, "rock", seed=3, steps=6)
    other = dream(classifier, "rock", seed=4, steps=6)
    assert told
    assert told == sorted(told)
    assert told[-1][1] == first.worth
    assert first.song == again.song
    assert np.array_equal(first.channels, again.channels)
    assert first.song != other.song


@pytest.mark.slow
def test_what_it_gives_is_finished_sound(classifier: Classifier) -> None:
    found = dream(classifier, "jazz", seed=0, steps=2)
    assert found.channels.shape == (2, SECONDS * SR)
    assert loudness(found.channels, SR) == pytest.approx(-14, abs=0.7)
    assert true_peak_db(found.channels) <= -0.9
    assert found.probability == pytest.approx(dict(found.prediction.ranking())["jazz"])


@pytest.mark.slow
def test_ctrl_c_keeps_the_best_so_far(classifier: Classifier) -> None:
    seen: list[Dream] = []

    def stop(n_tried: int, best: Dream) -> None:
        seen.append(best)
        raise KeyboardInterrupt

    assert dream(classifier, "blues", seed=0, steps=50, report=stop) is seen[0]


@pytest.mark.parametrize(("genre", "steps"), [("polka", 5), ("rock", 0)])
def test_what_makes_no_sense_is_refused(classifier: Classifier, genre: str, steps: int) -> None:
    with pytest.raises(ValueError, match=r"there is no genre|at least 1"):
        dream(classifier, genre, steps=steps)


@pytest.mark.slow
def test_the_net_that_ships_is_convinced() -> None:
    found = dream(Classifier.load(threads=1), "metal", seed=0)
    assert found.worth >= 0.8
    assert found.prediction.genre == "metal"


@pytest.mark.slow
def test_the_strategy_goes_on_from_the_best_of_chance(classifier: Classifier) -> None:
    told: list[int] = []
    dream(classifier, "rock", seed=1, steps=80, report=lambda n, best: told.append(n))
    assert told[-1] == 80 or told[-1] < 49
