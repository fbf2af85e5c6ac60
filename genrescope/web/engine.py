"""The classifier and its catalogue, behind what the API answers. Runs in worker threads."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrescope.audio.decode import decode_channels
from genrescope.errors import AudioError
from genrescope.features.config import FeatureConfig
from genrescope.mastering.loudness import loudness
from genrescope.mastering.polish import polish, to_wav
from genrescope.model.classifier import Classifier
from genrescope.model.prediction import SILENT
from genrescope.model.similar import Catalogue
from genrescope.web.encoding import FORMS
from genrescope.web.uploads import Upload

MAX_COLUMNS = 600
"""Columns of the spectrogram picture; more would not be seen."""


@dataclass(frozen=True)
class PolishedSound:
    """A polished recording: the bytes of its file and what they are, loudness before and after
    (LUFS), peak (dBFS)."""

    data: bytes
    media_type: str
    lufs_before: float
    lufs_after: float
    peak_db: float


class Engine:
    """What one server knows; safe to use from several threads.

    Args:
        classifier: answers for one bundle.
        catalogue: the tracks to suggest, of the same bundle.
        max_audio_s: the most seconds of audio a recording may hold.
    """

    def __init__(self, classifier: Classifier, catalogue: Catalogue, *, max_audio_s: float) -> None:
        self.classifier = classifier
        self.catalogue = catalogue
        self.max_audio_s = max_audio_s

    @classmethod
    def load(cls, bundle: str | os.PathLike[str] | None = None, *, max_audio_s: float) -> Engine:
        """Raises BundleError when the bundle is missing or damaged."""
        # One thread a recording: several recordings at once use the cores better.
        classifier = Classifier.load(bundle, threads=1)
        catalogue = Catalogue.load(classifier.bundle)
        return cls(classifier, catalogue, max_audio_s=max_audio_s)

    def classify(self, upload: Upload) -> bytes:
        """The JSON of a prediction, with the embedding and a picture of the spectrogram.

        Raises:
            AudioError: for a recording that cannot be used; AudioTooLongError past the limit.
        """
        clip = self.classifier.features(
            upload.data, name=upload.name, max_duration_s=self.max_audio_s
        )
        prediction = self.classifier.classify_features(clip)
        answer = prediction.to_dict()
        answer["embedding"] = [round(float(v), 6) for v in prediction.embedding]
        config = self.classifier.bundle.features
        log_mel = clip.log_mel
        if SILENT in prediction.flags:  # relative to its own maximum, silence would look loud
            log_mel = np.full_like(log_mel, -config.top_db)
        answer["spectrogram"] = picture(log_mel, config, duration_s=clip.duration_s)
        return json.dumps(answer, allow_nan=False).encode()

    def similar(self, embedding: NDArray[np.float32], n: int) -> list[dict[str, Any]]:
        """The ``n`` nearest tracks of the catalogue, nearest first.

        Raises:
            ValueError: ``embedding`` does not have the catalogue's dimension.
        """
        return [asdict(match) for match in self.catalogue.nearest(embedding, n=n)]

    def embed(self, upload: Upload) -> NDArray[np.float32]:
        """The embedding of a recording. Raises like ``classify``."""
        clip = self.classifier.features(
            upload.data, name=upload.name, max_duration_s=self.max_audio_s
        )
        return self.classifier.classify_features(clip).embedding

    def polish(self, upload: Upload, form: str = "wav") -> PolishedSound:
        """The more beautiful version of a recording, as one of `FORMS`; raises as ``classify``."""
        channels, sr = decode_channels(
            upload.data, max_duration_s=self.max_audio_s, name=upload.name
        )
        # As it plays: one channel comes from both loudspeakers.
        played = channels[:, :2].T if channels.shape[1] > 1 else np.repeat(channels.T, 2, axis=0)
        before = loudness(played, sr)
        try:
            done = polish(channels, sr)
        except ValueError as error:
            raise AudioError(upload.name, str(error), "Send another recording.") from error
        media_type, encode = FORMS[form]
        data = encode(done.samples, done.sr)
        return PolishedSound(data, media_type, before, done.lufs, done.peak_db)

    def warm_up(self) -> None:
        """Does everything once, so that the first visitor does not wait for libraries to load."""
        rng = np.random.default_rng(0)
        noise = rng.normal(0, 0.1, (2 * 22_050, 1)).astype(np.float32)
        upload = Upload("warm-up", to_wav(noise, 22_050))
        self.classify(upload)
        self.polish(upload)

    @property
    def name(self) -> str:
        """What the bundle is called."""
        return self.classifier.bundle.name

    def describe(self) -> dict[str, Any]:
        """What the bundle is and how good it is, JSON-ready."""
        bundle = self.classifier.bundle
        return {
            "name": self.name,
            "created": bundle.created,
            "licence": bundle.licence,
            "labels": list(bundle.labels),
            "window_s": bundle.window_s,
            "hop_s": bundle.hop_s,
            "features": bundle.features.to_dict(),
            "training": bundle.training,
            "metrics": bundle.metrics,
            "n_catalogue": len(self.catalogue),
        }


def picture(
    log_mel: NDArray[np.float32], config: FeatureConfig, *, duration_s: float
) -> dict[str, Any]:
    """A spectrogram small enough to send.

    Args:
        log_mel: float32 (n_bins, n_frames), dB from ``-config.top_db`` to 0.
        config: what made it.
        duration_s: length of the clip in seconds.

    Returns:
        ``n_mels`` rows and ``n_frames`` (at most 600: the mean of neighbours), ``data`` (base64 of
        uint8, lowest band first, row by row; 0 is ``-top_db``, 255 is 0 dB), ``top_db``, ``scale``
        of the rows (``mel`` or ``linear``) from ``fmin`` to ``fmax`` in Hz, ``duration_s``.
    """
    is_mel = config.kind == "mel"
    n_mels, n_frames = log_mel.shape
    n_columns = min(n_frames, MAX_COLUMNS)
    edges = np.linspace(0, n_frames, n_columns + 1).astype(np.intp)
    sums = np.add.reduceat(log_mel, edges[:-1], axis=1)
    mean = sums / np.diff(edges)
    levels = np.clip((mean / config.top_db + 1) * 255 + 0.5, 0, 255).astype(np.uint8)
    return {
        "n_mels": n_mels,
        "n_frames": n_columns,
        "data": base64.b64encode(levels.tobytes()).decode(),
        "top_db": config.top_db,
        "scale": "mel" if is_mel else "linear",
        "fmin": config.fmin if is_mel else 0.0,
        "fmax": config.top_hz if is_mel else config.sr / 2,
        "duration_s": round(duration_s, 3),
    }
