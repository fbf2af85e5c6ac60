"""What a mix has to know of a recording: its beats, tempo, key and balance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrescope.audio.confined import ConfinedDecoder
from genrescope.errors import AudioError
from genrescope.features.beats import beats
from genrescope.features.tonality import key_of, pitch_classes
from genrescope.model.classifier import Classifier
from genrescope.model.key import KEYS, camelot

LONGEST_S = 1_200.0
"""Of a recording: two of them are held in memory at once."""
SHORTEST_S = 12.0
LEAST_BEATS = 9
SR = 22_050

_BANDS_HZ = (40.0, 160.0, 500.0, 1_500.0, 4_000.0, 10_000.0)
_SILENT_DB = -60.0
_LEAST_CONFIDENCE = 0.3  # of the net's tempo and key


@dataclass(frozen=True, eq=False)
class Material:
    """A recording to be mixed.

    Attributes:
        path: its file.
        begins, ends: where its sound does, s.
        beats: s, float64 (n_beats,).
        tempo: beats a minute.
        key: place in `genrescope.model.key.KEYS`.
        balance: dB of the parts of its spectrum against its mean, float64 (5,).
    """

    path: str
    begins: float
    ends: float
    beats: NDArray[np.float64]
    tempo: float
    key: int
    balance: NDArray[np.float64]

    @property
    def name(self) -> str:
        """Of its file, without folder and ending."""
        return Path(self.path).stem

    @property
    def key_name(self) -> str:
        """Such as ``A minor (8A)``."""
        return f"{KEYS[self.key]} ({camelot(self.key)})"


def analyse(path: str, classifier: Classifier, decoder: ConfinedDecoder) -> Material:
    """Listen to a recording for a mix.

    Tempo and key are the net's where its bundle tells them; else those of the beats and of the
    profile of pitch classes.

    Raises:
        AudioError: it cannot be decoded, is silent, too short or has no beats.
        AudioTooLongError: it is longer than `LONGEST_S`.
    """
    waveform = decoder.decode(path, sr=SR, max_duration_s=LONGEST_S)
    samples = waveform.samples
    if waveform.duration < SHORTEST_S:
        raise AudioError(
            path,
            f"it lasts {waveform.duration:.1f} s, too short to be mixed",
            f"Give recordings of at least {SHORTEST_S:.0f} s.",
        )
    loud = np.flatnonzero(np.abs(samples) > 10 ** (_SILENT_DB / 20))
    if not len(loud):
        raise AudioError(path, "it is silent", "Leave it out.")
    prediction = classifier.classify(waveform)
    tempo, key = prediction.tempo, prediction.key
    sure = tempo is not None and tempo.confidence >= _LEAST_CONFIDENCE
    found = beats(samples, SR, near_bpm=tempo.bpm if tempo is not None and sure else None)
    begins, ends = loud[0] / SR, (loud[-1] + 1) / SR
    inside = found.times[(found.times >= begins - 0.02) & (found.times <= ends)]
    if len(inside) < LEAST_BEATS:
        raise AudioError(path, "it has no beat that a mix could follow", "Leave it out.")
    by_net = key is not None and key.confidence >= _LEAST_CONFIDENCE
    return Material(
        path=path,
        begins=float(begins),
        ends=float(ends),
        beats=inside,
        tempo=found.tempo,
        key=KEYS.index(key.name) if key is not None and by_net
        else key_of(pitch_classes(samples, SR)),
        balance=_balance(samples),
    )  # fmt: skip


def _balance(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    from scipy.signal import welch

    hz, power = welch(samples, SR, nperseg=4096)
    edges = np.searchsorted(hz, _BANDS_HZ)
    power = power.astype(np.float64)
    level = 10 * np.log10(np.maximum(np.add.reduceat(power, edges)[:-1], 1e-12))
    return np.asarray(level - level.mean(), np.float64)
