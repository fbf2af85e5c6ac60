"""Sparse-representation classification on auditory temporal modulations.

Panagakis, Kotropoulos, Arce: Music genre classification via sparse representations of auditory
temporal modulations. EUSIPCO 2009. A clip is written as a combination of few training clips; the
genre whose clips leave the least residual wins. Where the paper has an auditory model of 96
constant-Q filters and wavelets over time, here a log-mel spectrogram and its Fourier transform
along time serve: the same two axes, acoustic frequency and modulation frequency.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

Float32 = NDArray[np.float32]

_SEGMENT_S = 3.0
_LOWEST_HZ = 0.5


def modulation_rates(frame_rate: float) -> NDArray[np.float64]:
    """Edges in Hz of the octave-wide modulation bands that a frame rate in Hz can hold.

    Raises:
        ValueError: not one whole octave above 0.5 Hz fits below half the frame rate.
    """
    n_octaves = int(np.log2(frame_rate / 2 / _LOWEST_HZ) + 1e-9) if frame_rate > 0 else 0
    if n_octaves < 1:
        raise ValueError(f"a frame rate of {frame_rate} Hz holds no modulations")
    edges: NDArray[np.float64] = _LOWEST_HZ * 2.0 ** np.arange(n_octaves + 1, dtype=np.float64)
    return edges


def temporal_modulations(log_mel: Float32, *, frame_rate: float) -> Float32:
    """How strongly each mel band fluctuates at each octave of modulation frequency.

    Magnitude spectra along time of half-overlapping 3 s segments, averaged, and pooled by
    octaves from 0.5 Hz to at most half the frame rate.

    Args:
        log_mel: (n_mels, n_frames) in dB, one frame or more; a clip under 3 s is one segment.
        frame_rate: Hz.

    Returns:
        (n_mels * n_octaves,), band by band, in dB.

    Raises:
        ValueError: an empty spectrogram, or a frame rate that holds no modulations.
    """
    edges = modulation_rates(frame_rate)
    if log_mel.ndim != 2 or log_mel.size == 0:
        raise ValueError(f"need (n_mels, n_frames), got an array of shape {log_mel.shape}")
    n_segment = max(2, round(_SEGMENT_S * frame_rate))
    n_frames = log_mel.shape[1]
    starts = range(0, max(1, n_frames - n_segment + 1), max(1, n_segment // 2))
    spectra = [_magnitudes(log_mel[:, i : i + n_segment], n_segment) for i in starts]
    magnitudes = np.mean(spectra, axis=0)
    hz = np.fft.rfftfreq(n_segment, 1.0 / frame_rate)
    pooled = [
        magnitudes[:, (low <= hz) & (hz < high)].mean(axis=1)
        for low, high in itertools.pairwise(edges)
    ]
    result: Float32 = np.stack(pooled, axis=1).astype(np.float32).ravel()
    return result


def _magnitudes(segment: Float32, n_segment: int) -> NDArray[np.float64]:
    window = np.hanning(segment.shape[1] + 2)[1:-1]
    centred = (segment - segment.mean(axis=1, keepdims=True)) * window
    magnitudes: NDArray[np.float64] = np.abs(np.fft.rfft(centred, n=n_segment, axis=1))
    magnitudes *= 2.0 / window.sum()
    return magnitudes


def sparse_codes(
    X: NDArray[np.float64], atoms: NDArray[np.float64], *, ratio: float, n_iterations: int
) -> NDArray[np.float64]:
    """Few atoms whose sum is near each vector: least squares with an l1 penalty, by FISTA.

    Minimises ``||x - c @ atoms||^2 / 2 + penalty * sum(abs(c))`` for all rows at once (Beck and
    Teboulle: A fast iterative shrinkage-thresholding algorithm. SIAM Journal on Imaging
    Sciences 2, 2009).

    Args:
        X: (n, d) vectors.
        atoms: (n_atoms, d).
        ratio: penalty as a part of the least penalty that leaves a vector without any atom.
        n_iterations: steps; the cost falls with their square.

    Returns:
        Coefficients (n, n_atoms).
    """
    step = 1.0 / max(np.linalg.norm(atoms, ord=2) ** 2, np.finfo(float).tiny)
    threshold = step * ratio * np.abs(X @ atoms.T).max(axis=1, keepdims=True)
    codes = momentum = np.zeros((len(X), len(atoms)))
    t = 1.0
    for _ in range(n_iterations):
        moved = momentum - step * (momentum @ atoms - X) @ atoms.T
        shrunk = np.sign(moved) * np.maximum(np.abs(moved) - threshold, 0.0)
        t_next = (1.0 + np.sqrt(1.0 + 4.0 * t * t)) / 2.0
        momentum = shrunk + ((t - 1.0) / t_next) * (shrunk - codes)
        codes, t = shrunk, t_next
    return codes


class SparseRepresentationClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The genre whose training vectors alone explain a vector best, in its sparse combination.

    Args:
        ratio: penalty of `sparse_codes`.
        n_iterations: steps of `sparse_codes`.
        softness: residual that makes a genre e times less probable; vectors have length one.
    """

    def __init__(
        self, *, ratio: float = 0.05, n_iterations: int = 100, softness: float = 0.1
    ) -> None:
        self.ratio = ratio
        self.n_iterations = n_iterations
        self.softness = softness

    def fit(self, X: Any, y: Any) -> SparseRepresentationClassifier:
        """Keep the training vectors (n, d), at length one, and their classes (n,)."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, self.targets_ = np.unique(y, return_inverse=True)
        self.atoms_ = _normalised(X)
        return self

    def residuals(self, X: Any) -> NDArray[np.float64]:
        """What each class alone leaves unexplained of each vector: (n, n_classes), lengths."""
        check_is_fitted(self)
        X = _normalised(validate_data(self, X, dtype=np.float64, reset=False))
        codes = sparse_codes(X, self.atoms_, ratio=self.ratio, n_iterations=self.n_iterations)
        left = []
        for k in range(len(self.classes_)):
            own = self.targets_ == k
            left.append(np.linalg.norm(X - codes[:, own] @ self.atoms_[own], axis=1))
        return np.stack(left, axis=1)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities (n, n_classes): softmax of the negative residuals; ranked, uncalibrated."""
        proba: NDArray[np.float64] = softmax(-self.residuals(X) / self.softness, axis=1)
        return proba

    def predict(self, X: Any) -> NDArray[Any]:
        """Classes (n,) of least residual."""
        residuals = self.residuals(X)
        labels: NDArray[Any] = self.classes_[residuals.argmin(axis=1)]
        return labels


def _normalised(X: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(lengths > 0, lengths, 1.0)
