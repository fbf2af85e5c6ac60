"""The small nets beside a bundle's own, for tempo and for key; a bundle may lack either.

``tempo.onnx`` takes ``tempogram`` and ``timbre`` (`genrescope.features.rhythm`) and gives
``logits`` (batch, 256); ``key.onnx`` takes ``log_mel`` (n_mels, n_frames), or in bundles of earlier
versions ``chroma`` (`genrescope.features.chroma`), and gives ``logits`` (batch, 24). The logits are
calibrated. They go by the same log-mel as the genre, so that another genre net may ship with the
same heads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrescope.errors import BundleError
from genrescope.features.chroma import N_CHANNELS as N_CHROMA
from genrescope.features.chroma import chroma
from genrescope.features.config import FeatureConfig
from genrescope.features.rhythm import (
    MARGIN,
    N_CHANNELS,
    N_TEMPI,
    N_TIMBRE,
    SECTION_S,
    tempogram,
    timbre,
)
from genrescope.features.spectrogram import Scale
from genrescope.features.windows import spread
from genrescope.model.bundle import Bundle
from genrescope.model.inference import softmax
from genrescope.model.key import N_KEYS, Key, read_key
from genrescope.model.schema import HEADS
from genrescope.model.tempo import Tempo, read_tempo

TEMPO, KEY = "tempo", "key"
TEMPO_INPUTS: Mapping[str, tuple[int, ...]] = {
    "tempogram": (N_CHANNELS, N_TEMPI + 2 * MARGIN),
    "timbre": (N_TIMBRE,),
}
CHROMA_INPUTS: Mapping[str, tuple[int | None, ...]] = {"chroma": (N_CHROMA, 12, None)}
LOGITS = "logits"

BEAT = "beat"
"""Name of the threshold: a pulse below it is no beat."""

Inputs = Mapping[str, NDArray[np.float32]]


def tempo_inputs(section: NDArray[np.float32], config: FeatureConfig) -> Inputs:
    """What the tempo's net takes of a standardised log-mel (n_mels, n_frames)."""
    return {
        "tempogram": tempogram(section, frame_rate=config.frame_rate),
        "timbre": timbre(section),
    }


def key_inputs(section: NDArray[np.float32], config: FeatureConfig) -> Inputs:
    """What the key's net takes of a standardised log-mel (n_mels, n_frames): all of it."""
    return {"log_mel": np.ascontiguousarray(section, np.float32)}


def _chroma_inputs(section: NDArray[np.float32], config: FeatureConfig) -> Inputs:
    return {"chroma": chroma(section, config)}


def sections(features: NDArray[np.float32], config: FeatureConfig) -> Iterator[NDArray[np.float32]]:
    """A clip in dB (n_mels, n_frames), standardised, in sections of half a minute or a bit more."""
    scale = Scale.of(features)
    length = round(SECTION_S * config.frame_rate)
    starts, n_frames = spread(features.shape[1], window_length=length, hop_length=length)
    for start in starts:
        yield scale.apply(features[:, start : start + n_frames])


@dataclass(frozen=True)
class _Head:
    session: Any
    inputs: Callable[[NDArray[np.float32], FeatureConfig], Inputs]
    n_classes: int
    name: str

    def __call__(self, section: NDArray[np.float32], bundle: Bundle) -> NDArray[np.float64]:
        """Probabilities of a section, float64 (n_classes,)."""
        inputs = {
            name: value[np.newaxis] for name, value in self.inputs(section, bundle.features).items()
        }
        (logits,) = self.session.run([LOGITS], inputs)
        if logits.shape != (1, self.n_classes) or not np.isfinite(logits).all():
            raise BundleError(f"bundle {bundle.path}: {self.name} answers with NaN or infinity")
        return softmax(logits[0])


class Heads:
    """The heads of a bundle; many threads may ask them.

    Args:
        bundle: already read.

    Raises:
        BundleError: a head cannot be loaded, or takes and gives something else than it must.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._tempo = self._key = None
        if HEADS[TEMPO] in bundle.files:
            session = _session(bundle, TEMPO, (TEMPO_INPUTS,), N_TEMPI)
            self._tempo = _Head(session, tempo_inputs, N_TEMPI, HEADS[TEMPO])
        if HEADS[KEY] in bundle.files:
            whole = {"log_mel": (bundle.features.n_bins, None)}
            session = _session(bundle, KEY, (whole, CHROMA_INPUTS), N_KEYS)
            hears_all = any(x.name == "log_mel" for x in session.get_inputs())
            inputs = key_inputs if hears_all else _chroma_inputs
            self._key = _Head(session, inputs, N_KEYS, HEADS[KEY])

    def estimate(self, features: NDArray[np.float32]) -> tuple[Tempo | None, Key | None]:
        """Tempo and key of a clip, each None where the bundle has no head for it.

        Args:
            features: dB, float32 (n_mels, n_frames), with its silences, which keep the time.
        """
        if self._tempo is None and self._key is None:
            return None, None
        tempi: list[NDArray[np.float64]] = []
        keys: list[NDArray[np.float64]] = []
        for section in sections(features, self._bundle.features):
            for head, probs in ((self._tempo, tempi), (self._key, keys)):
                if head is not None:
                    probs.append(head(section, self._bundle))
        return (
            read_tempo(np.mean(tempi, axis=0)) if tempi else None,
            read_key(np.mean(keys, axis=0)) if keys else None,
        )

    def lacks_beat(self, tempo: Tempo) -> bool:
        """Whether a pulse is so uncertain that there may be none."""
        return tempo.pulse < self._bundle.thresholds.get(BEAT, 0.0)


def _session(
    bundle: Bundle,
    head: str,
    wanted: Sequence[Mapping[str, tuple[int | None, ...]]],
    n_classes: int,
) -> Any:
    """An open head, which takes one of what is wanted and gives so many logits."""
    from genrescope.model.net import open_session

    file = HEADS[head]
    # On one thread, so that the last bit of an answer does not depend on how many there are.
    session = open_session(bundle, file, 1)
    inputs = {x.name: list(x.shape) for x in session.get_inputs()}
    outputs = {x.name: list(x.shape) for x in session.get_outputs()}
    good = (
        bundle.features.kind == "mel"
        and bundle.features.n_bins % 16 == 0
        and any(_takes(inputs, shapes) for shapes in wanted)
        and _fits(outputs.get(LOGITS, []), (None, n_classes))
    )
    if not good:
        shapes = " or ".join(
            ", ".join(f"{name} {shape}" for name, shape in each.items()) for each in wanted
        )
        raise BundleError(
            f"bundle {bundle.path}: {file} must take {shapes} of a log-mel with a multiple of 16 "
            f"bands and give {LOGITS} ({n_classes})"
        )
    return session


def _takes(inputs: Mapping[str, list[Any]], shapes: Mapping[str, tuple[int | None, ...]]) -> bool:
    return inputs.keys() == shapes.keys() and all(
        _fits(inputs[name], (None, *shape)) for name, shape in shapes.items()
    )


def _fits(shape: list[Any], wanted: tuple[int | None, ...]) -> bool:
    """Whether each fixed dimension is as wanted; an open one is a name or None."""
    return len(shape) == len(wanted) and all(
        length == want or not isinstance(length, int) or want is None
        for length, want in zip(shape, wanted, strict=True)
    )
