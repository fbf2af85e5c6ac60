"""Trained models that answer for a track: a bundle or a run, on stored features or on audio."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from genrescope.audio.confined import ConfinedDecoder
from genrescope.data.fold import track_of
from genrescope.data.store import FeatureStore
from genrescope.data.track import Track
from genrescope.errors import AudioError
from genrescope.features.config import FeatureConfig
from genrescope.features.spectrogram import compute_features
from genrescope.lab.inference import torch_net
from genrescope.lab.nets.ensemble import together
from genrescope.lab.robustness.robustness import ClipAnswer
from genrescope.lab.stores import check_front_end
from genrescope.lab.training.run import Run
from genrescope.model.bundle import Bundle
from genrescope.model.classifier import Classifier
from genrescope.model.heads import Heads
from genrescope.model.inference import Net, Windowing, infer, prepare, softmax, standardised_span
from genrescope.model.isolation import IsolatedFeatures
from genrescope.model.key import Key
from genrescope.model.net import BundleNet
from genrescope.model.prediction import Prediction
from genrescope.model.tempo import Tempo

Array = NDArray[Any]


class Answer(ClipAnswer, Protocol):
    """What a model answers for one clip and its windows; `genrescope.model.Prediction` is one."""

    @property
    def probs(self) -> Array:
        """Float (n_windows, n_classes), rows summing to 1."""


Span = tuple[float, float]
"""Start and end of a part of a recording, s."""

Predictor = Callable[[Track, Sequence[Span | None]], Sequence[Answer]]
"""Answers for spans of one recording, None being the whole; may raise AudioError."""

Features = Callable[[Track], Array]
"""Features of a whole track in dB, float32 (n_bins, n_frames); may raise AudioError."""


@dataclass(frozen=True)
class WindowAnswer:
    """Probabilities of windows, and their mean; tempo and key where the model tells them."""

    probs: Array
    flags: tuple[str, ...] = ()
    tempo: Tempo | None = None
    key: Key | None = None

    @property
    def clip_probs(self) -> Array:
        """Mean over the windows."""
        mean: Array = self.probs.mean(axis=0)
        return mean


@dataclass(frozen=True)
class Model:
    """A net ready to answer for features.

    Attributes:
        name: for messages.
        labels: in the order of the logits.
        config: the front end it needs.
        windowing: how it cuts clips.
        temperature: of the softmax.
        net: from windows to logits.
        learned: IDs of the tracks it was trained on; None where it does not say.
        heads: what tells tempo and key; None of a run.
    """

    name: str
    labels: tuple[str, ...]
    config: FeatureConfig
    windowing: Windowing
    temperature: float
    net: Net
    learned: tuple[str, ...] | None
    heads: Heads | None = None

    def answer(self, features: Array, span: Span | None = None) -> WindowAnswer:
        """Probabilities of the windows of a clip, standardised as a whole, without its silences.

        Args:
            features: dB (n_bins, n_frames) of the whole clip.
            span: start and end in s of the part that is asked about.
        """
        if span is None:
            x = prepare(features, self.config).standardised()
        else:
            x = standardised_span(features, span, self.config)
        (output,) = infer([x], self.net, self.windowing)
        probs = softmax(output.logits, self.temperature)
        if span is not None or self.heads is None:
            return WindowAnswer(probs)
        tempo, key = self.heads.estimate(features)
        return WindowAnswer(probs, tempo=tempo, key=key)


def from_bundle(bundle: Bundle) -> Model:
    """A bundle's net, without the decoding before it."""
    tracks = bundle.training.get("tracks")
    return Model(
        bundle.name,
        bundle.labels,
        bundle.features,
        bundle.windowing,
        bundle.temperature,
        BundleNet(bundle),
        tuple(map(str, tracks)) if isinstance(tracks, list) else None,
        Heads(bundle),
    )


def from_runs(runs: Sequence[Run], *, last: bool = False, window_s: float | None = None) -> Model:
    """Runs' best nets, or those of their last epochs, uncalibrated: the mean of their logits.

    Args:
        runs: one, or several of the same input, window and labels.
        last: take the last epochs.
        window_s: of the windows; as in training by default.
    """
    first = runs[0]
    return Model(
        " + ".join(run.path.name for run in runs),
        first.labels,
        first.features,
        Windowing.of_length(first.window_frames(window_s), config=first.features),
        1.0,
        torch_net(together([run.net(last=last) for run in runs])),
        tuple(dict.fromkeys(track_of(member) for run in runs for member in run.fold.train)),
    )


def store_features(store: FeatureStore, config: FeatureConfig) -> Features:
    """Read features from a store.

    Raises:
        GenrescopeError: the store was made by another front end than ``config``.
    """
    check_front_end(store, config, remedy="Build a store so, or name the folder of the audio.")
    return lambda track: store.get(track.track_id)


def audio_features(config: FeatureConfig, decoder: ConfinedDecoder) -> Features:
    """Compute features from a track's audio file, which ``decoder`` decodes."""

    def features(track: Track) -> Array:
        if track.path is None:
            raise AudioError(track.track_id, "no file", "Name the folder of the audio.")
        samples = decoder.decode(track.path, sr=config.sr).samples
        return compute_features([samples], config)

    return features


@dataclass(frozen=True)
class Excerpts:
    """Short parts of recordings, one of each, as somebody hears who has no more of them.

    Attributes:
        seconds: of each; a shorter recording stays whole.
        seed: of their places.
    """

    seconds: float
    seed: int = 0

    def cut(self, features: Features, config: FeatureConfig) -> Features:
        """The features of the parts alone, from those of whole tracks."""
        n_frames = max(1, round(self.seconds * config.frame_rate))

        def part(track: Track) -> Array:
            whole = features(track)
            rng = np.random.default_rng([self.seed, zlib.crc32(track.track_id.encode())])
            start = rng.integers(max(0, whole.shape[1] - n_frames) + 1)
            return whole[:, start : start + n_frames]

        return part


def predict_features(model: Model, features: Features) -> Predictor:
    """The model's answers for what ``features`` gives; each recording is read once."""

    def predict(track: Track, spans: Sequence[Span | None]) -> list[WindowAnswer]:
        of_track = features(track)
        return [model.answer(of_track, span) for span in spans]

    return predict


def predict_recordings(bundle: Bundle, decoders: IsolatedFeatures) -> Predictor:
    """What ``classify`` answers for whole recordings, from the file on.

    Args:
        bundle: what answers.
        decoders: decode, for this bundle's front end.
    """
    classifier = Classifier.load(bundle)

    def predict(track: Track, spans: Sequence[Span | None]) -> list[Prediction]:
        if track.path is None:
            raise AudioError(track.track_id, "no file", "Name the folder of the audio.")
        prediction = classifier.classify_features(decoders.features_in_time(str(track.path)))
        return [prediction for _ in spans]

    return predict
