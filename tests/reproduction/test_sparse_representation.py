from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Lasso
from sklearn.utils.estimator_checks import check_estimator
from threadpoolctl import threadpool_limits

from genrescope.reproduction.sparse_representation import (
    SparseRepresentationClassifier,
    modulation_rates,
    sparse_codes,
    temporal_modulations,
)

FRAME_RATE = 40.0


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Matrices this small lose time to threads, the more the busier the machine."""
    with threadpool_limits(1):
        yield


def test_rates_are_octaves_below_half_the_frame_rate() -> None:
    np.testing.assert_allclose(modulation_rates(22_050 / 1708), [0.5, 1, 2, 4])
    np.testing.assert_allclose(modulation_rates(22_050 / 512), [0.5, 1, 2, 4, 8, 16])
    with pytest.raises(ValueError, match="holds no modulations"):
        modulation_rates(1.5)


@settings(max_examples=25, deadline=None)
@given(hz=st.sampled_from([0.75, 1.5, 3.0, 6.0, 12.0]), band=st.integers(0, 31))
def test_a_beating_band_is_found_at_its_rate(hz: float, band: int) -> None:
    t = np.arange(round(10 * FRAME_RATE)) / FRAME_RATE
    log_mel = np.full((32, len(t)), -60.0, dtype=np.float32)
    log_mel[band] += 10.0 * np.sin(2 * np.pi * hz * t)
    found = temporal_modulations(log_mel, frame_rate=FRAME_RATE).reshape(32, -1)
    edges = modulation_rates(FRAME_RATE)
    row, rate = np.unravel_index(found.argmax(), found.shape)
    assert row == band
    assert edges[rate] <= hz < edges[rate + 1]


@given(n_frames=st.integers(1, 400))
@settings(max_examples=25, deadline=None)
def test_any_length_gives_the_same_number_of_modulations(n_frames: int) -> None:
    log_mel = np.random.default_rng(n_frames).normal(size=(24, n_frames)).astype(np.float32)
    found = temporal_modulations(log_mel, frame_rate=FRAME_RATE)
    assert found.shape == (24 * 5,)
    assert np.isfinite(found).all()
    assert (found >= 0).all()


def test_level_does_not_matter_but_depth_does() -> None:
    log_mel = np.random.default_rng(0).normal(size=(24, 200)).astype(np.float32)
    found = temporal_modulations(log_mel, frame_rate=FRAME_RATE)
    np.testing.assert_allclose(
        temporal_modulations(3 * log_mel - 20, frame_rate=FRAME_RATE), 3 * found, rtol=1e-3
    )


def test_an_empty_spectrogram_is_refused() -> None:
    with pytest.raises(ValueError, match="n_mels, n_frames"):
        temporal_modulations(np.zeros((24, 0), np.float32), frame_rate=FRAME_RATE)


def test_codes_solve_the_lasso() -> None:
    rng = np.random.default_rng(0)
    atoms = rng.normal(size=(12, 20))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    X = rng.normal(size=(4, 20))
    codes = sparse_codes(X, atoms, ratio=0.3, n_iterations=500)
    for x, code in zip(X, codes, strict=True):
        alpha = 0.3 * np.abs(atoms @ x).max() / len(x)
        lasso = Lasso(alpha=alpha, fit_intercept=False, tol=1e-10, max_iter=100_000)
        np.testing.assert_allclose(code, lasso.fit(atoms.T, x).coef_, atol=1e-5)
    assert (codes == 0).any()


def test_classes_that_are_subspaces_are_told_apart() -> None:
    # Class means coincide: only what can be combined from what tells the classes apart.
    rng = np.random.default_rng(0)
    bases = rng.normal(size=(3, 4, 30))
    y = np.repeat(["a", "b", "c"], 40)
    X = np.concatenate([rng.normal(size=(40, 4)) @ basis for basis in bases])
    new = np.concatenate([rng.normal(size=(20, 4)) @ basis for basis in bases])
    model = SparseRepresentationClassifier().fit(X, y)
    assert (model.predict(new) == np.repeat(["a", "b", "c"], 20)).mean() > 0.95
    np.testing.assert_array_equal(
        model.classes_[model.predict_proba(new).argmax(axis=1)], model.predict(new)
    )


@pytest.mark.slow
def test_is_a_scikit_learn_estimator() -> None:
    check_estimator(
        SparseRepresentationClassifier(),
        on_skip=None,
        expected_failed_checks={
            "check_classifiers_train": "of two columns, at length one, an angle alone is left"
        },
    )
