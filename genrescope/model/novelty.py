"""Whether a recording is music at all, from the texture of its spectrogram."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrescope.features.texture import NAMES, texture
from genrescope.features.windows import grid, take

MAX_WINDOWS = 200
"""Looked at in one recording, spread evenly: enough to judge hours by."""

MAX_DEVIATIONS = 4.0
"""Beyond what was learned nothing grows."""

_BATCH = 32


@dataclass(frozen=True)
class NoMusic:
    """A logistic model of windows: what is no music against what is.

    The score of a window is ``bias + weights @ terms(z)``, with ``z`` its descriptors less
    ``mean``, over ``scale``, within four deviations. A clip's is the mean over its windows.

    Attributes:
        mean, scale: float (n,), one for each of `texture.NAMES`.
        weights: one for each of the `terms`.
        bias: the log odds at ``z`` = 0.
        threshold: a clip that scores above it gets the flag.
        window_s: seconds of a window.
        figures: how often the flag falls on what, for people to read: name -> share.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    threshold: float
    window_s: float = 3.0
    figures: dict[str, float] = field(default_factory=dict)

    def score(self, log_mel: NDArray[np.floating], *, frame_rate: float) -> float:
        """How little a clip is like music, in nats.

        Args:
            log_mel: (n_bins, n_frames), dB; its level does not matter.
            frame_rate: frames per second.
        """
        windows = self.windows(log_mel, self.window_s * frame_rate)
        parts = [texture(windows[i : i + _BATCH]) for i in range(0, len(windows), _BATCH)]
        return float(self.scores(np.concatenate(parts)).mean())

    def scores(self, described: NDArray[np.floating]) -> NDArray[np.float64]:
        """Scores (n_windows,) of what `texture` says of windows, (n_windows, n)."""
        answer: NDArray[np.float64] = self.bias + self.terms(described) @ np.array(self.weights)
        return answer

    def terms(self, described: NDArray[np.floating]) -> NDArray[np.float64]:
        """What is weighed: each of ``z``, and each product of two, squares included.

        Returns:
            (n_windows, n + n * (n + 1) / 2).
        """
        z = np.clip(
            (described - np.array(self.mean)) / np.array(self.scale),
            -MAX_DEVIATIONS,
            MAX_DEVIATIONS,
        )
        first, second = np.triu_indices(z.shape[1])
        return np.hstack([z, z[:, first] * z[:, second]])

    @staticmethod
    def windows(log_mel: NDArray[np.floating], window_length: float) -> NDArray[np.floating]:
        """The windows that tell whether a clip is music: side by side, at most `MAX_WINDOWS`.

        Args:
            log_mel: (n_bins, n_frames).
            window_length: frames, rounded to a whole number of at least 4.

        Returns:
            (n_windows, n_bins, window_length); a shorter clip is repeated.
        """
        length = max(4, round(window_length))
        starts = grid(log_mel.shape[1], window_length=length, hop_length=length)
        if len(starts) > MAX_WINDOWS:
            starts = starts[np.linspace(0, len(starts) - 1, MAX_WINDOWS).round().astype(int)]
        return take(log_mel, starts, window_length=length)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `from_dict` is the inverse."""
        vectors = {key: list(getattr(self, key)) for key in _VECTORS}
        return {"descriptors": list(NAMES), **asdict(self), **vectors}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> NoMusic:
        """The model that `to_dict` described.

        Raises:
            ValueError: something is missing, odd, out of range, or for other descriptors.
        """
        if not isinstance(values, Mapping) or set(values) != _KEYS:
            raise ValueError(f"does not hold just {', '.join(sorted(_KEYS))}")
        if values["descriptors"] != list(NAMES):
            raise ValueError("is made for other descriptors than this Genrescope computes")
        for key, length in _VECTORS.items():
            row = values[key]
            if not isinstance(row, list) or len(row) != length or not all(map(is_number, row)):
                raise ValueError(f"{key} is not a list of {length} numbers")
        if min(values["scale"]) <= 0:
            raise ValueError("scale must be above 0")
        if not (is_number(values["bias"]) and is_number(values["threshold"])):
            raise ValueError("bias and threshold must be numbers")
        if not is_number(values["window_s"]) or not 0.5 <= values["window_s"] <= 60:
            raise ValueError("window_s must be from 0.5 to 60")
        figures = values["figures"]
        if not isinstance(figures, Mapping) or not all(map(is_number, figures.values())):
            raise ValueError("figures does not map names to numbers")
        return NoMusic(
            **{key: tuple(map(float, values[key])) for key in _VECTORS},
            bias=float(values["bias"]),
            threshold=float(values["threshold"]),
            window_s=float(values["window_s"]),
            figures={str(key): float(value) for key, value in figures.items()},
        )


def is_number(value: object, low: float = -1e9, high: float = 1e9) -> bool:
    """Whether a value from a bundle is a number, neither bool nor NaN, from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return low <= value <= high


_N = len(NAMES)
_VECTORS = {"mean": _N, "scale": _N, "weights": _N + _N * (_N + 1) // 2}
_KEYS = {"descriptors", *_VECTORS, "bias", "threshold", "window_s", "figures"}
