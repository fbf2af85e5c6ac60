"""One vector for a clip: the classical features, from audio or from a log-mel spectrogram.

The set of Tzanetakis and Cook (Musical genre classification of audio signals, IEEE Transactions on
Speech and Audio Processing 10, 2002) and what the field added to it: MFCC, chroma (Ellis 2007),
spectral contrast (Jiang et al. 2002), tempo. The audio features are librosa's.
"""

from __future__ import annotations

import librosa
import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

from genrescope.features.spectrogram import standardise

Float32 = NDArray[np.float32]

_N_FFT, _HOP_LENGTH = 2048, 512
_N_MFCC = 20
_N_GROUPS = 16
_MIN_SR = 12_800  # the sixth octave of spectral contrast ends there / 2
_CONTRAST_OCTAVES = 6


def _named(moments: tuple[str, ...], rows: dict[str, int]) -> tuple[str, ...]:
    return tuple(
        f"{row}{f'_{i}' if n > 1 else ''}_{moment}"
        for moment in moments
        for row, n in rows.items()
        for i in range(n)
    )


AUDIO_SUMMARY: tuple[str, ...] = (
    *_named(
        ("mean", "std"),
        {
            "mfcc": _N_MFCC,
            "chroma": 12,
            "contrast": _CONTRAST_OCTAVES + 1,
            "centroid": 1,
            "bandwidth": 1,
            "rolloff": 1,
            "zero_crossings": 1,
            "rms": 1,
        },
    ),
    "tempo",
)
"""Names of the numbers `summarise_audio` returns."""

LOG_MEL_SUMMARY: tuple[str, ...] = (
    *_named(("mean", "std"), {"mfcc": _N_MFCC, "centroid": 1, "flux": 1, "band": _N_GROUPS}),
    *_named(("delta_std",), {"mfcc": _N_MFCC}),
    *_named(("contrast",), {"band": _N_GROUPS}),
)
"""Names of the numbers `summarise_log_mel` returns."""


def summarise_audio(samples: Float32, sr: int) -> Float32:
    """Means and standard deviations over frames (2048 samples each 512), and the tempo.

    Args:
        samples: (n_samples,), one or more.
        sr: sample rate, 12,800 Hz or more.

    Returns:
        (len(AUDIO_SUMMARY),), finite.

    Raises:
        ValueError: no samples, or a sample rate that is too low.
    """
    if samples.ndim != 1 or len(samples) == 0 or sr < _MIN_SR:
        raise ValueError(
            f"need (n_samples,) at {_MIN_SR} Hz or more, got {samples.shape} at {sr} Hz"
        )
    y = np.pad(samples, (0, max(0, _N_FFT - len(samples))))
    S = np.abs(librosa.stft(y, n_fft=_N_FFT, hop_length=_HOP_LENGTH))
    mel_db = librosa.power_to_db(librosa.feature.melspectrogram(S=S**2, sr=sr), ref=np.max)
    rows = np.concatenate(
        [
            librosa.feature.mfcc(S=mel_db, n_mfcc=_N_MFCC),
            librosa.feature.chroma_stft(S=S**2, sr=sr, tuning=0.0),
            librosa.feature.spectral_contrast(S=S, sr=sr, n_bands=_CONTRAST_OCTAVES),
            librosa.feature.spectral_centroid(S=S, sr=sr),
            librosa.feature.spectral_bandwidth(S=S, sr=sr),
            librosa.feature.spectral_rolloff(S=S, sr=sr),
            librosa.feature.zero_crossing_rate(y, frame_length=_N_FFT, hop_length=_HOP_LENGTH),
            librosa.feature.rms(S=S, frame_length=_N_FFT),
        ]
    )
    onsets = librosa.onset.onset_strength(S=mel_db, sr=sr)
    tempo = librosa.feature.tempo(onset_envelope=onsets, sr=sr, hop_length=_HOP_LENGTH)
    return np.concatenate([rows.mean(axis=1), rows.std(axis=1), tempo]).astype(np.float32)


def summarise_bands(db: Float32) -> Float32:
    """Each bin's mean and standard deviation over time: what a distance can compare.

    Args:
        db: (n_bins, n_frames) in dB, at least one frame.

    Returns:
        (2 * n_bins,), finite.

    Raises:
        ValueError: no frames.
    """
    if db.ndim != 2 or db.size == 0:
        raise ValueError(f"need (n_bins, n_frames > 0), got an array of shape {db.shape}")
    x = db.astype(np.float32)
    return np.concatenate([x.mean(axis=1), x.std(axis=1)])


def summarise_log_mel(log_mel: Float32) -> Float32:
    """MFCC by the cosine transform of the log-mel, and statistics of 16 groups of bands.

    The clip is standardised first, so its level and dynamic range do not matter: a stored
    spectrogram of 8 bits serves as well as a fresh one.

    Args:
        log_mel: (n_mels, n_frames) in dB or any linear scale of it, at least 21 bands, 2 frames.

    Returns:
        (len(LOG_MEL_SUMMARY),), finite.

    Raises:
        ValueError: too few bands or frames.
    """
    if log_mel.ndim != 2 or log_mel.shape[0] <= _N_MFCC or log_mel.shape[1] < 2:
        raise ValueError(
            f"need (n_mels > {_N_MFCC}, n_frames > 1), got an array of shape {log_mel.shape}"
        )
    x = standardise(log_mel)
    mfcc = dct(x, axis=0, norm="ortho")[1 : _N_MFCC + 1]
    weights = np.exp(x)
    centroid = np.arange(len(x)) @ weights / weights.sum(axis=0)
    # Half-wave rectified difference: how much sets in; the first frame has no past.
    flux = np.maximum(np.diff(x, axis=1, prepend=x[:, :1]), 0.0).mean(axis=0)
    groups = np.array_split(x, _N_GROUPS, axis=0)
    bands = np.stack([group.mean(axis=0) for group in groups])
    contrast = [np.subtract(*np.percentile(group, (95, 5))) for group in groups]
    rows = np.concatenate([mfcc, centroid[np.newaxis], flux[np.newaxis], bands])
    return np.concatenate(
        [rows.mean(axis=1), rows.std(axis=1), np.diff(mfcc, axis=1).std(axis=1), contrast]
    ).astype(np.float32)
