"""Parameters of the front end: one object from the feature store to the bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

KINDS = ("mel", "stft", "waveform")
"""What features can be: log-mel bands, Fourier bins, or the samples themselves."""

HOP_LENGTH = 1708
"""Samples from frame to frame of the shipped model: a frame each 77.5 ms, 39 to a window of 3 s."""

_HUGE = 1e9  # Hz or dB, more than which no setting means anything
_MAX_N_FFT = 2**16


@dataclass(frozen=True)
class FeatureConfig:
    """Parameters of the front end; they travel inside a bundle.

    Attributes:
        sr: sample rate in Hz of the samples that go in.
        n_fft: length of a frame and of its Fourier transform, samples; 1 of a waveform.
        hop_length: from one frame to the next, samples; 1 of a waveform.
        n_mels: mel bands; None where the kind is another.
        fmin, fmax: lowest and highest frequency of the mel bands in Hz; None is ``sr / 2``.
        top_db: dynamic range; what lies further below the clip's maximum is raised to ``-top_db``.
        kind: of `KINDS`: ``mel``, ``stft`` or ``waveform``. `STFT_CONFIG` and `WAVEFORM_CONFIG`
            show the fields of the last two.

    Raises:
        ValueError: an unknown kind, or a field that is not a number of its type, is out of range
            or does not suit the kind.
    """

    sr: int = 22_050
    n_fft: int = 2048
    hop_length: int = 512
    n_mels: int | None = 128
    fmin: float = 0.0
    fmax: float | None = None
    top_db: float = 80.0
    kind: str = "mel"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {self.kind!r}")
        shortest = 1 if self.kind == "waveform" else 2
        for name, low, high in (
            ("sr", 1, 2**20),
            ("n_fft", shortest, _MAX_N_FFT),
            ("hop_length", 1, 2**20),
            ("n_mels", 1, _MAX_N_FFT),
        ):
            value = getattr(self, name)
            if name == "n_mels" and self.kind != "mel":
                if value is not None:
                    raise ValueError(f"n_mels must be None where kind is {self.kind}, not {value}")
                continue
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"{name} must be a whole number from {low} to {high}, not {value}")
        for name in ("fmin", "fmax", "top_db"):
            value = getattr(self, name)
            if name == "fmax" and value is None:
                continue
            if type(value) not in (int, float) or not -_HUGE < value < _HUGE:
                raise ValueError(f"{name} must be a number, not {value}")
        if not 0 <= self.fmin < self.top_hz <= self.sr / 2:
            raise ValueError(
                f"fmin and fmax must satisfy 0 <= fmin < fmax <= sr / 2, "
                f"not fmin={self.fmin}, fmax={self.fmax}, sr={self.sr}"
            )
        if self.n_mels is not None and self.n_mels > self.n_fft // 2 + 1:
            raise ValueError(
                f"n_mels must be at most the {self.n_fft // 2 + 1} bins of n_fft={self.n_fft}, "
                f"not {self.n_mels}"
            )
        if self.top_db <= 0:
            raise ValueError(f"top_db must be above 0, not {self.top_db}")
        if self.kind == "waveform" and not self.n_fft == self.hop_length == 1:
            raise ValueError("n_fft and hop_length must be 1 where kind is waveform")

    @property
    def n_bins(self) -> int:
        """Rows of the features: mel bands, Fourier bins, or 1 of a waveform."""
        return self.n_fft // 2 + 1 if self.n_mels is None else self.n_mels

    @property
    def frame_rate(self) -> float:
        """Frames per second, Hz."""
        return self.sr / self.hop_length

    @property
    def top_hz(self) -> float:
        """Highest frequency of the mel bands, Hz."""
        return self.sr / 2 if self.fmax is None else self.fmax

    def frames(self, n_samples: int) -> int:
        """Columns of the features of ``n_samples`` samples."""
        return 1 + (n_samples + 2 * (self.n_fft // 2) - self.n_fft) // self.hop_length

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, JSON-ready."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FeatureConfig:
        """The reverse of `to_dict`; absent fields take their defaults.

        What was written before `kind` was a field is read as it was meant.

        Raises:
            ValueError: a key that is no field, or a value out of range.
        """
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"unknown feature parameters: {', '.join(sorted(map(str, unknown)))}")
        return cls(**(values if "kind" in values else _with_kind(values)))


def _with_kind(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields written before `kind` was one, when the other fields told it."""
    if values.get("n_mels", 128) is None:
        return {**values, "kind": "stft"}
    if values.get("hop_length") == values.get("n_mels") == 1:
        return {**values, "kind": "waveform", "n_fft": 1, "n_mels": None}
    return dict(values)


STORE_CONFIG = FeatureConfig(hop_length=HOP_LENGTH)
"""What the shipped model uses."""
STFT_CONFIG = FeatureConfig(hop_length=HOP_LENGTH, n_mels=None, kind="stft")
"""The linear STFT with the same frames."""
WAVEFORM_CONFIG = FeatureConfig(n_fft=1, hop_length=1, n_mels=None, kind="waveform")
"""The samples themselves: one bin, and a frame for each sample."""

CONFIGS: dict[str, FeatureConfig] = {
    "mel": STORE_CONFIG,
    "stft": STFT_CONFIG,
    "waveform": WAVEFORM_CONFIG,
}
"""The usual front end of each kind."""
