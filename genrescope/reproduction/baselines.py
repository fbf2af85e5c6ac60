"""Classifiers without a net, each a scikit-learn pipeline whose every step learns in `fit`.

The talk's kNN, SVM, random forest and logistic regression, and the sparse-representation
classifier of the field it cites. Each takes X float32 (n, d): flattened windows of the waveform,
STFT or log-mel, or the vectors of `summary` and `sparse_representation`.

Columns are scaled to mean 0 and standard deviation 1. Above 128 columns a principal component
analysis keeps 128: a flattened window has 5,000 (mel) to 66,000 (waveform) columns, most of them
noise to a distance, and the full matrix would make the SVM and the logistic regression take hours.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.validation import check_is_fitted, validate_data

from genrescope.reproduction.sparse_representation import SparseRepresentationClassifier

N_COMPONENTS = 128


class Reduction(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Principal components where there are more columns than wanted; else nothing.

    Args:
        n_components: columns to keep, fewer where there are fewer training rows.
        seed: of the randomised solver.
    """

    def __init__(self, *, n_components: int = N_COMPONENTS, seed: int = 0) -> None:
        self.n_components = n_components
        self.seed = seed

    def fit(self, X: Any, y: Any = None) -> Reduction:
        """Find the components of X (n, d)."""
        X = validate_data(self, X, dtype=[np.float32, np.float64])
        self.pca_: PCA | None = None
        if X.shape[1] > self.n_components:
            n = min(self.n_components, len(X))
            self.pca_ = PCA(n, svd_solver="randomized", random_state=self.seed).fit(X)
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """X (n, d) in at most `n_components` columns."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float32, np.float64], reset=False)
        rows: NDArray[Any] = X if self.pca_ is None else self.pca_.transform(X)
        return rows


class VotingSVC(SVC):  # type: ignore[misc]
    """SVM with probabilities from its one-against-one votes: ranked as `predict`, uncalibrated.

    Calibrating inside `fit` would split windows of one track over both sides.
    """

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Softmax (n, n_classes) of the decision function."""
        values = self.decision_function(X)
        if values.ndim == 1:
            values = np.stack([-values, values], axis=1) / 2
        proba: NDArray[np.float64] = softmax(values, axis=1)
        return proba


def _pipeline(model: Any, *, seed: int) -> Pipeline:
    return Pipeline(
        [("scale", StandardScaler()), ("reduce", Reduction(seed=seed)), ("model", model)]
    )


def _knn(*, n_neighbors: int, seed: int = 0) -> Pipeline:
    return _pipeline(KNeighborsClassifier(n_neighbors), seed=seed)


def _svm(*, seed: int = 0) -> Pipeline:
    return _pipeline(VotingSVC(C=10.0, break_ties=True, random_state=seed), seed=seed)


def _random_forest(*, seed: int = 0) -> Pipeline:
    return _pipeline(RandomForestClassifier(300, random_state=seed), seed=seed)


def _logistic(*, seed: int = 0) -> Pipeline:
    return _pipeline(LogisticRegression(C=0.1, max_iter=2000, random_state=seed), seed=seed)


def _src(*, seed: int = 0) -> Pipeline:
    return _pipeline(SparseRepresentationClassifier(), seed=seed)


BASELINES: dict[str, Callable[..., Pipeline]] = {
    "knn-10": partial(_knn, n_neighbors=10),
    "knn-15": partial(_knn, n_neighbors=15),
    "knn-20": partial(_knn, n_neighbors=20),
    "svm": _svm,
    "random-forest": _random_forest,
    "logistic": _logistic,
    "src": _src,
}
"""By name: ``BASELINES[name](seed=0)`` is an unfitted pipeline with predict and predict_proba."""
