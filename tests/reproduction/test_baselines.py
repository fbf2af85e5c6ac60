"""One contract for every baseline of the registry."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import numpy as np
import pytest
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from genrescope.reproduction.baselines import BASELINES, N_COMPONENTS, Reduction, VotingSVC

GENRES = np.array(["blues", "disco", "metal", "pop"])

every_baseline = pytest.mark.parametrize("name", BASELINES)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Matrices this small lose time to threads, the more the busier the machine."""
    with threadpool_limits(1):
        yield


def _music(*, n: int, d: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Clouds around one centre a genre, columns of very different scale."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(GENRES)), n // len(GENRES))
    centres = np.random.default_rng(99).normal(size=(len(GENRES), d)) * np.sqrt(20 / d)
    X = centres[y] + 0.5 * rng.normal(size=(len(y), d))
    return (X * 2.0 ** (np.arange(d) % 7)).astype(np.float32), GENRES[y]


@pytest.fixture(scope="module", params=[24, 3 * N_COMPONENTS], ids=["narrow", "wide"])
def music(request: pytest.FixtureRequest) -> tuple[np.ndarray, ...]:
    X, y = _music(n=160, d=request.param, seed=0)
    return X, y, *_music(n=80, d=request.param, seed=1)


@pytest.mark.slow
@every_baseline
def test_learns_and_gives_probabilities(name: str, music: tuple[np.ndarray, ...]) -> None:
    X, y, X_new, y_new = music
    model = BASELINES[name]().fit(X, y)
    predicted = model.predict(X_new)
    assert (predicted == y_new).mean() > 0.8
    proba = model.predict_proba(X_new)
    assert proba.shape == (len(X_new), len(GENRES))
    assert (proba >= 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_array_equal(model.classes_, GENRES)
    np.testing.assert_array_equal(model.classes_[proba.argmax(axis=1)], predicted)


@pytest.mark.slow
@every_baseline
def test_labels_without_meaning_are_not_learned(name: str, music: tuple[np.ndarray, ...]) -> None:
    X, y, X_new, y_new = music
    shuffled = np.random.default_rng(0).permutation(y)
    assert (BASELINES[name]().fit(X, shuffled).predict(X_new) == y_new).mean() < 0.6


@pytest.mark.slow
@every_baseline
def test_units_of_the_columns_do_not_matter(name: str, music: tuple[np.ndarray, ...]) -> None:
    X, y, X_new, _ = music
    # Powers of two, so that the scaled columns come out equal to the last bit.
    units = (2.0 ** np.random.default_rng(0).integers(-6, 7, X.shape[1])).astype(np.float32)
    np.testing.assert_allclose(
        BASELINES[name]().fit(X * units, y).predict_proba(X_new * units),
        BASELINES[name]().fit(X, y).predict_proba(X_new),
        atol=1e-6,
    )


@pytest.mark.slow
@every_baseline
def test_nothing_is_learned_while_predicting(name: str, music: tuple[np.ndarray, ...]) -> None:
    X, y, X_new, _ = music
    model = BASELINES[name]().fit(X, y)
    before = pickle.dumps(model)
    together = model.predict_proba(X_new)
    model.predict(X_new * 100)
    assert pickle.dumps(model) == before
    np.testing.assert_allclose(model.predict_proba(X_new[:3]), together[:3], atol=1e-5)
    np.testing.assert_allclose(model.named_steps["scale"].mean_, X.mean(axis=0), rtol=1e-3, atol=1)


@pytest.mark.slow
@every_baseline
def test_the_same_seed_gives_the_same_model(name: str, music: tuple[np.ndarray, ...]) -> None:
    X, y, X_new, _ = music
    first, second = (BASELINES[name](seed=3).fit(X, y).predict_proba(X_new) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_reduction_keeps_narrow_data_and_narrows_wide() -> None:
    X = np.random.default_rng(0).normal(size=(40, 10)).astype(np.float32)
    np.testing.assert_array_equal(Reduction(n_components=10).fit_transform(X), X)
    assert Reduction(n_components=4).fit_transform(X).shape == (40, 4)
    assert Reduction(n_components=8).fit(X[:5]).transform(X).shape == (40, 5)


def test_two_classes_have_probabilities_too() -> None:
    X, y = _music(n=80, d=10, seed=0)
    two = np.isin(y, GENRES[:2])
    model = VotingSVC().fit(X[two], y[two])
    proba = model.predict_proba(X[two])
    assert proba.shape == (two.sum(), 2)
    np.testing.assert_array_equal(
        model.classes_[proba.argmax(axis=1)], SVC().fit(X[two], y[two]).predict(X[two])
    )
