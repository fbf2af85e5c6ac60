"""The classifier and its catalogue, behind what the API answers.

Runs in worker threads; what touches a stranger's bytes runs in processes of their own.
"""

from __future__ import annotations

import base64
import json
import logging
import math
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrescope.audio.waveform import Waveform
from genrescope.confinement import FENCES
from genrescope.errors import BundleError
from genrescope.features.config import FeatureConfig
from genrescope.mastering.loudness import master
from genrescope.mastering.polish import to_wav
from genrescope.model.bundle import bundle_folder, shipped_bundles
from genrescope.model.classifier import Classifier
from genrescope.model.clip import Clip
from genrescope.model.explain import PARTS, Explanation
from genrescope.model.isolation import IsolatedFeatures
from genrescope.model.prediction import SILENT
from genrescope.model.similar import Catalogue
from genrescope.progress import Progress, no_progress
from genrescope.sandbox import JobTimeoutError, Sandbox
from genrescope.web.encoding import FORMS
from genrescope.web.limits import Limits
from genrescope.web.polishing import PolishedSound, Polisher
from genrescope.web.uploads import Upload

log = logging.getLogger("genrescope.web")

QUICK_NICENESS, THOROUGH_NICENESS = 3, 15
"""How far what decodes short recordings stands back, so that a new request is taken at once; a
little alone, since on a machine that is busy with other things it would else get nothing. And how
far what decodes long ones: behind all else."""

MAX_COLUMNS = 600
"""Columns of the spectrogram picture; more would not be seen."""


EXPLAINED_LUFS = -20.0
"""Loudness of every part of an explained recording, so that they can be compared by ear."""

EXPLAINED_PEAK_DB = -1.0
"""Highest true peak of each, dB re full scale."""


class Engine:
    """What one server knows; safe to use from several threads.

    Args:
        classifier: answers for one bundle.
        catalogue: the tracks to suggest, of the same bundle.
        limits: how much is decoded at once, and for how long a recording may last.
        beside: another engine of this server, whose processes do for this one as well: those
            that polish, and those that decode where both bundles hear by the same front end.
    """

    def __init__(
        self,
        classifier: Classifier,
        catalogue: Catalogue,
        *,
        limits: Limits,
        beside: Engine | None = None,
    ) -> None:
        self.classifier = classifier
        self.catalogue = catalogue
        self._max_audio_s = limits.audio_s
        self._max_polished_s = limits.polish_audio_s
        self._max_explained_s = limits.explain_audio_s
        self._allowance = limits.allowance
        self._own: list[Sandbox] = []
        self._decoders: IsolatedFeatures
        self._thorough: IsolatedFeatures
        self._polisher: Polisher
        if beside is not None and beside.classifier.bundle.features == classifier.bundle.features:
            self._decoders, self._thorough = beside._decoders, beside._thorough
        else:
            self._decoders, self._thorough = (
                IsolatedFeatures(
                    classifier.bundle,
                    processes=processes,
                    memory_bytes=limits.decoding_bytes,
                    niceness=niceness,
                )
                for processes, niceness in (
                    (limits.workers, QUICK_NICENESS),
                    (limits.thorough, THOROUGH_NICENESS),
                )
            )
            self._own += [self._decoders.sandbox, self._thorough.sandbox]
        if beside is not None:
            self._polisher = beside._polisher
        else:
            self._polisher = Polisher(
                processes=limits.polishers, memory_bytes=limits.polishing_bytes
            )
            self._own.append(self._polisher.sandbox)

    @classmethod
    def load(
        cls,
        bundle: str | os.PathLike[str] | None,
        *,
        limits: Limits,
        beside: Engine | None = None,
    ) -> Engine:
        """Raises BundleError when the bundle is missing or damaged."""
        # One thread a recording: several recordings at once use the cores better.
        classifier = Classifier.load(bundle, threads=1)
        catalogue = Catalogue.load(classifier.bundle)
        return cls(classifier, catalogue, limits=limits, beside=beside)

    def start(self) -> None:
        """Start the processes that decode; returns at once."""
        for sandbox in self._own:
            sandbox.start()

    def close(self) -> None:
        """End them, whatever they are doing."""
        for sandbox in self._own:
            sandbox.close()

    def fences(self) -> tuple[str, ...]:
        """What decoding is kept from on this system, see `genrescope.confinement`; waits."""
        return self._decoders.sandbox.fences()

    def classify(
        self,
        upload: Upload,
        *,
        deadline: float = math.inf,
        spectrogram: bool = True,
        quick: bool = False,
    ) -> bytes:
        """The JSON of a prediction, with the embedding and a picture of the spectrogram.

        Args:
            deadline: when to give up, by `time.monotonic`.
            spectrogram: False leaves the picture out.
            quick: for a short recording, by processes that work on no other; most are.

        Raises:
            OverAllowanceError: it is not short enough for that, see `Limits.allowance`.
            AudioError: for a recording that cannot be used; AudioTooLongError past the limit.
            JobTimeoutError: it is not decoded by the deadline.
        """
        clip = self._clip(upload, deadline, quick=quick)
        prediction = self.classifier.classify_features(clip)
        answer = prediction.to_dict()
        answer["embedding"] = [round(float(v), 6) for v in prediction.embedding]
        if spectrogram:
            config = self.classifier.bundle.features
            log_mel = clip.log_mel
            if SILENT in prediction.flags:  # relative to its own maximum, silence would look loud
                log_mel = np.full_like(log_mel, -config.top_db)
            answer["spectrogram"] = picture(log_mel, config, duration_s=clip.duration_s)
        return json.dumps(answer, allow_nan=False).encode()

    def _clip(self, upload: Upload, deadline: float, *, quick: bool) -> Clip:
        decoders = self._decoders if quick else self._thorough
        return decoders.features(
            upload.data,
            name=upload.name,
            max_duration_s=self._max_audio_s,
            deadline=deadline,
            allowance=self._allowance if quick else None,
        )

    def similar(self, embedding: NDArray[np.float32], n: int) -> list[dict[str, Any]]:
        """The ``n`` nearest tracks of the catalogue, nearest first.

        Raises:
            ValueError: ``embedding`` does not have the catalogue's dimension.
        """
        return [asdict(match) for match in self.catalogue.nearest(embedding, n=n)]

    def embed(
        self, upload: Upload, *, deadline: float = math.inf, quick: bool = False
    ) -> NDArray[np.float32]:
        """The embedding of a recording. Arguments and errors are those of ``classify``."""
        clip = self._clip(upload, deadline, quick=quick)
        return self.classifier.classify_features(clip).embedding

    def explain(self, upload: Upload, genre: str | None, *, deadline: float = math.inf) -> bytes:
        """The JSON of an explanation.

        Args:
            genre: what to explain; the genre named if None.
            deadline: when to give up, by `time.monotonic`.

        Raises:
            AudioError: as by ``classify``, or it is silent.
            JobTimeoutError: it was not done by the deadline.
            ValueError: the bundle knows no such genre.
        """
        clip = self._thorough.features(
            upload.data, name=upload.name, max_duration_s=self._max_explained_s, deadline=deadline
        )
        explanation = self.classifier.explain_features(
            clip, genre, name=upload.name, progress=_until(deadline)
        )
        return json.dumps(explanation.to_dict(), allow_nan=False).encode()

    def explained_sound(
        self, upload: Upload, genre: str | None, part: str, form: str, *, deadline: float = math.inf
    ) -> tuple[bytes, str]:
        """A part of the recording's sound, as a file in one of `FORMS`, and its media type.

        Args:
            part: one of `PARTS`.

        Raises like ``explain``.
        """
        explanation = self._explanation_with_sound(upload, genre, _until(deadline), deadline)
        return _sound(explanation.sounds()[part], form)

    def explain_with_sounds(
        self,
        upload: Upload,
        genre: str | None,
        form: str,
        *,
        deadline: float = math.inf,
        progress: Progress = no_progress,
    ) -> tuple[bytes, list[tuple[bytes, str]]]:
        """What ``explain`` says, and what ``explained_sound`` makes of each of `PARTS`.

        Args:
            progress: called with the steps done, the steps in all, and the name.

        Raises like ``explain``, and what ``progress`` does.
        """
        explanation = self._explanation_with_sound(
            upload, genre, _until(deadline, progress), deadline
        )
        sounds = explanation.sounds()
        answer = json.dumps(explanation.to_dict(), allow_nan=False).encode()
        return answer, [_sound(sounds[part], form) for part in PARTS]

    def _explanation_with_sound(
        self, upload: Upload, genre: str | None, progress: Progress, deadline: float
    ) -> Explanation:
        recording = self._thorough.recording(
            upload.data, name=upload.name, max_duration_s=self._max_explained_s, deadline=deadline
        )
        return self.classifier.explain_features(
            recording.clip, genre, waveform=recording.waveform, name=upload.name, progress=progress
        )

    def polish(
        self, upload: Upload, form: str = "wav", *, deadline: float = math.inf
    ) -> PolishedSound:
        """The more beautiful version of a recording, in a form of `genrescope.web.encoding.FORMS`.

        Raises like ``classify``.
        """
        return self._polisher.polish(
            upload.data,
            form,
            name=upload.name,
            max_duration_s=self._max_polished_s,
            deadline=deadline,
        )

    def warm_up(self, deadline: float = math.inf) -> None:
        """Does everything once, so that the first visitor does not wait for libraries to load.

        Logs what decoding is not kept from on this system.
        """
        rng = np.random.default_rng(0)
        noise = rng.normal(0, 0.1, (2 * 22_050, 1)).astype(np.float32)
        upload = Upload("warm-up", to_wav(noise, 22_050))
        for quick in (True, False):
            self.classify(upload, deadline=deadline, quick=quick)
        self.polish(upload, deadline=deadline)
        absent = [fence for fence in FENCES if fence not in self.fences()]
        if absent:
            log.warning("this system cannot keep the decoders from: %s", ", ".join(absent))

    @property
    def name(self) -> str:
        """What the bundle is called."""
        return self.classifier.bundle.name

    def describe(self, *, tracks: bool = False) -> dict[str, Any]:
        """What the bundle is and how good it is, JSON-ready.

        Args:
            tracks: whether to name every track that was learned from; else how many they are.
        """
        bundle = self.classifier.bundle
        training = {**bundle.training}
        if not tracks and "tracks" in training:
            training["n_tracks"] = len(training.pop("tracks"))
        return {
            "name": self.name,
            "created": bundle.created,
            "licence": bundle.licence,
            "labels": list(bundle.labels),
            "window_s": bundle.window_s,
            "hop_s": bundle.hop_s,
            "features": bundle.features.to_dict(),
            "training": training,
            "metrics": bundle.metrics,
            "n_catalogue": len(self.catalogue),
        }


def _until(deadline: float, progress: Progress = no_progress) -> Progress:
    """What reports the steps of an explanation, and ends it once it is past its deadline."""

    def report(done: float, total: float | None, what: str) -> None:
        if time.monotonic() > deadline:
            raise JobTimeoutError("the explanation took too long")
        progress(done, total, what)

    return report


def _sound(sound: Waveform, form: str) -> tuple[bytes, str]:
    """A part of an explanation as a file in one of `FORMS`, as loud as the others, and its type."""
    both = np.repeat(sound.samples[np.newaxis], 2, axis=0)
    loud = master(both, sound.sr, lufs=EXPLAINED_LUFS, peak_db=EXPLAINED_PEAK_DB)
    media_type, encode = FORMS[form]
    return encode(np.ascontiguousarray(loud.channels.T), sound.sr), media_type


def load_engines(bundles: Sequence[str | os.PathLike[str]], *, limits: Limits) -> dict[str, Engine]:
    """An engine for each bundle, by the name of its folder; the first answers unless one is named.

    Args:
        bundles: folders, or names of some that ship; none for all that ship.

    Raises:
        BundleError: a bundle is missing or damaged, or two have one name.
    """
    engines: dict[str, Engine] = {}
    for folder in [bundle_folder(path) for path in bundles] or shipped_bundles():
        name = folder.resolve().name
        if name in engines:
            raise BundleError(f"two bundles are called {name}; rename the folder of one of them")
        beside = next(iter(engines.values()), None)
        engines[name] = Engine.load(folder, limits=limits, beside=beside)
    return engines


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
