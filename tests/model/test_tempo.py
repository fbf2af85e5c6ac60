from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrescope.features.rhythm import N_TEMPI, tempi
from genrescope.model.tempo import read_tempo


def _probs(**at: float) -> np.ndarray:
    """Probabilities with so much at each tempo, ``b120=0.7`` for 120 bpm."""
    probs = np.zeros(N_TEMPI)
    for name, share in at.items():
        probs[np.abs(tempi() - float(name[1:])).argmin()] += share
    return probs / probs.sum()


def test_the_best_tempo_the_next_one_and_how_sure() -> None:
    tempo = read_tempo(_probs(b120=0.6, b60=0.3, b95=0.1))
    assert tempo.bpm == pytest.approx(120, rel=0.01)
    assert tempo.other == pytest.approx(60, rel=0.01)
    assert tempo.confidence == pytest.approx(0.6)
    assert tempo.pulse == pytest.approx(0.9)
    assert tempo.to_dict() == {
        "bpm": round(tempo.bpm, 1),
        "confidence": 0.6,
        "other": round(tempo.other, 1),
    }


def test_the_tempo_lies_between_bins() -> None:
    probs = np.zeros(N_TEMPI)
    probs[100:102] = 0.5
    assert tempi()[100] < read_tempo(probs).bpm < tempi()[101]


def test_one_tempo_alone_has_no_other() -> None:
    assert read_tempo(_probs(b100=1.0)).other is None


@given(st.integers(0, 2**32 - 1))
def test_whatever_the_probabilities_the_answer_is_within_range(seed: int) -> None:
    probs = np.random.default_rng(seed).dirichlet(np.full(N_TEMPI, 0.1))
    tempo = read_tempo(probs)
    assert 30 <= tempo.bpm <= 286.001
    assert 0 < tempo.confidence <= tempo.pulse <= 1 + 1e-9
    assert tempo.other is not None
    assert abs(tempo.other / tempo.bpm - 1) > 0.02
