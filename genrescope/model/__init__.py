"""A trained model in use: a bundle, the classifier that runs it, what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genrescope.audio.waveform import Waveform
    from genrescope.model.bundle import Bundle
    from genrescope.model.classifier import Classifier
    from genrescope.model.clip import Clip
    from genrescope.model.prediction import Prediction, Segment
    from genrescope.model.similar import Catalogue, Match

__all__ = [
    "Bundle",
    "Catalogue",
    "Classifier",
    "Clip",
    "Match",
    "Prediction",
    "Segment",
    "Waveform",
]

_HOMES = {
    "Bundle": "model.bundle",
    "Catalogue": "model.similar",
    "Classifier": "model.classifier",
    "Clip": "model.clip",
    "Match": "model.similar",
    "Prediction": "model.prediction",
    "Segment": "model.prediction",
    "Waveform": "audio.waveform",
}


def __getattr__(name: str) -> Any:
    # Resolved on first use: whoever needs the bundle alone does not pay for decoding.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"genrescope.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
