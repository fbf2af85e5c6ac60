"""Learning what is no music: real clips against sounds made from nothing.

The clips are a store's; the counterexamples are `genrescope.lab.sounds`, so that nothing has to be
downloaded or redistributed. On the side of music stand, too, clips with noise and voices laid
under them, coloured, in a narrow band or with a gap, and melodies made of plain tones: neither a
noisy room, nor an old record, nor a lone trumpet is no music.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from genrescope.data.store import FeatureStore
from genrescope.features.config import FeatureConfig
from genrescope.features.spectrogram import compute_features
from genrescope.features.texture import texture
from genrescope.lab import sounds
from genrescope.model.inference import prepare
from genrescope.model.novelty import NoMusic

Array = NDArray[Any]
Rng = np.random.Generator

FALSE_ALARMS = 0.02
"""Share of windows of unseen music that may score above the threshold."""

STRENGTH = 0.01  # inverse of the ridge penalty
N_FOLDS = 5
N_DISTURBED = 15  # windows of a clip that are learned under noise, coloured, cut or narrow as well
WINDOW_S = 3.0
_SECONDS = 6.5


def _noise(n: int, sr: int, rng: Rng) -> Array:
    # Noise that falls on below what can be heard, as a random walk does, is all rumble.
    flat_hz = np.exp(rng.uniform(np.log(0.1), np.log(20)))
    return sounds.coloured_noise(n, sr, slope=rng.uniform(-1, 2.5), flat_hz=flat_hz, rng=rng)


def _tones(n: int, sr: int, rng: Rng) -> Array:
    hz = np.exp(rng.uniform(np.log(50), np.log(9000), int(rng.integers(1, 6))))
    x = sounds.tones(n, sr, hz=hz, decay=rng.uniform(0, 2), rng=rng)
    return _hissing(x, sr, 20, 110, rng)


def _hum(n: int, sr: int, rng: Rng) -> Array:
    return sounds.hum(n, sr, mains_hz=rng.choice([50, 60]) * rng.uniform(0.98, 1.02), rng=rng)


def _clicks(n: int, sr: int, rng: Rng) -> Array:
    return sounds.clicks(n, sr, rate_hz=np.exp(rng.uniform(np.log(0.4), np.log(30))), rng=rng)


def _speech(n: int, sr: int, rng: Rng) -> Array:
    x = _often_in_a_room(sounds.speech(n, sr, rng=rng), sr, (0.1, 0.7), rng)
    return _hissing(x, sr, 12, 80, rng)


def _melody(n: int, sr: int, rng: Rng) -> Array:
    x = _often_in_a_room(sounds.melody(n, sr, rng=rng), sr, (0.2, 1.5), rng)
    return _hissing(x, sr, 30, 100, rng)


def _often_in_a_room(x: Array, sr: int, rt60_s: tuple[float, float], rng: Rng) -> Array:
    """Every second time as heard across a room that fades by 60 dB in so many seconds."""
    if rng.random() >= 0.5:
        return x
    fade_s, direct_db = rng.uniform(*rt60_s), rng.uniform(-6, 8)
    return sounds.in_room(x, sr, rt60_s=fade_s, direct_db=direct_db, rng=rng)


def _hissing(x: Array, sr: int, low_db: float, high_db: float, rng: Rng) -> Array:
    hiss = sounds.coloured_noise(len(x), sr, slope=rng.uniform(0, 2), rng=rng)
    return np.asarray(x + 10 ** (-rng.uniform(low_db, high_db) / 20) * hiss)


COUNTEREXAMPLES: dict[str, tuple[int, Callable[[int, int, Rng], Array]]] = {
    "noise": (40, _noise),
    "tones": (50, _tones),
    "hum": (40, _hum),
    "clicks": (50, _clicks),
    "speech": (120, _speech),
}
"""What is no music: how many clips of each kind, and how one is made."""

MELODIES = (80, _melody)


@lru_cache(maxsize=4)
def made_clips(config: FeatureConfig, *, seed: int) -> Mapping[str, list[Array]]:
    """Spectrograms of the clips of each kind of `COUNTEREXAMPLES`, and of ``melody``."""
    kinds = {**COUNTEREXAMPLES, "melody": MELODIES}
    n_samples = round(_SECONDS * config.sr)
    made = {}
    for number, (kind, (n_clips, make)) in enumerate(kinds.items()):
        rng = np.random.default_rng([seed, number])
        made[kind] = [
            compute_features([make(n_samples, config.sr, rng)], config) for _ in range(n_clips)
        ]
    return made


def under_noise(windows: Array, noise: Sequence[Array], rng: Rng) -> Array:
    """Windows of dB with another sound's power added, 0 to 20 dB weaker on average."""
    out = []
    for x in windows:
        other = noise[int(rng.integers(len(noise)))][:, : x.shape[1]]
        other = np.resize(other, x.shape) if other.shape != x.shape else other
        gap = 10 * np.log10(np.mean(10 ** (x / 10)) / np.mean(10 ** (other / 10)))
        out.append(10 * np.log10(10 ** (x / 10) + 10 ** ((other + gap - rng.uniform(0, 20)) / 10)))
    return np.stack(out)


def through_a_curve(windows: Array, rng: Rng) -> Array:
    """Windows of dB as another microphone colours them: a smooth curve, and often less bass."""
    n_bins = windows.shape[1]
    at = np.linspace(0, 1, n_bins)
    out = []
    for x in windows:
        curve = np.interp(at, np.linspace(0, 1, 6), rng.normal(0, 5, 6))
        curve += -rng.uniform(0, 35) * np.clip(1 - at / rng.uniform(0.02, 0.2), 0, 1)
        out.append(x + curve[:, None])
    return np.stack(out)


def in_a_narrow_band(windows: Array, rng: Rng) -> Array:
    """Windows of dB as a telephone or an old record keeps them: steep edges, a floor beyond."""
    n_bins = windows.shape[1]
    at = np.arange(n_bins) / n_bins
    out = []
    for x in windows:
        low, high = rng.uniform(-0.1, 0.2), rng.uniform(0.5, 1.0)
        outside = np.clip(low - at, 0, None) + np.clip(at - high, 0, None)
        sunk = x - rng.uniform(200, 2000) * outside[:, None]
        out.append(np.maximum(sunk, x.max() - rng.uniform(60, 100)))
    return np.stack(out)


def with_gap(windows: Array, rng: Rng) -> Array:
    """Windows of dB that are silent for a tenth to a third of their length."""
    n_frames = windows.shape[2]
    out = windows.copy()
    for x in out:
        length = max(1, round(n_frames * rng.uniform(0.1, 0.35)))
        start = int(rng.integers(0, n_frames - length + 1))
        x[:, start : start + length] = x.min() - 20
    return out


def fit_no_music(store: FeatureStore, tracks: Sequence[str], *, seed: int = 0) -> NoMusic:
    """Learn what is no music, with the threshold that spares all but 2 % of unseen windows.

    Scores of unseen music are those of 5-fold cross-validation over the tracks.

    Args:
        store: features of music.
        tracks: which of it to learn from.
        seed: of the counterexamples and the folds.

    Returns:
        The model; its ``figures`` are cross-validated shares of flagged clips.
    """
    config = store.config
    made = made_clips(config, seed=seed)
    rng = np.random.default_rng([seed, 99])
    clips, disturbed = [], []
    for track in tracks:
        windows = _windows(store.get(track), config)
        clips.append(texture(windows))
        chosen = windows[rng.integers(len(windows), size=N_DISTURBED)]
        kind = "noise" if rng.random() < 0.6 else "speech"
        noisy = under_noise(chosen[:8], made[kind], rng)
        coloured, cut = through_a_curve(chosen[8:10], rng), with_gap(chosen[10:12], rng)
        narrow = in_a_narrow_band(chosen[12:], rng)
        disturbed.append(texture(np.concatenate([noisy, coloured, cut, narrow])))
    others = {kind: [texture(_windows(x, config)) for x in xs] for kind, xs in made.items()}
    melodies = others.pop("melody")
    against = [x for xs in others.values() for x in xs]
    fold_of = rng.permutation(len(clips)) % N_FOLDS
    fold_against = rng.permutation(len(against)) % N_FOLDS
    held: list[Array] = [np.zeros(0)] * len(clips)
    held_against: list[Array] = [np.zeros(0)] * len(against)
    for fold in range(N_FOLDS):
        model = _fit(
            _without(clips, fold_of, fold),
            _without(disturbed, fold_of, fold) + melodies,
            _without(against, fold_against, fold),
        )
        for i in np.flatnonzero(fold_of == fold):
            held[i] = model.scores(clips[i])
        for i in np.flatnonzero(fold_against == fold):
            held_against[i] = model.scores(against[i])
    threshold = float(np.quantile(np.concatenate(held), 1 - FALSE_ALARMS))
    flagged = np.array([x.mean() > threshold for x in held_against])
    kinds = np.repeat(list(others), [len(xs) for xs in others.values()])
    figures = {"music": float(np.mean([x.mean() > threshold for x in held]))}
    figures |= {kind: float(flagged[kinds == kind].mean()) for kind in others}
    model = _fit(clips, disturbed + melodies, against)
    return replace(model, threshold=threshold, figures=figures)


def _windows(features: Array, config: FeatureConfig) -> Array:
    """The windows of a clip, without its silences, as `Classifier` looks at them."""
    return NoMusic.windows(prepare(features, config).features, WINDOW_S * config.frame_rate)


def _without(clips: list[Array], fold_of: Array, fold: int) -> list[Array]:
    return [x for x, k in zip(clips, fold_of, strict=True) if k != fold]


def _fit(music: list[Array], more_music: list[Array], against: list[Array]) -> NoMusic:
    """The logistic model, both sides weighing the same; its threshold is 0."""
    plain = np.concatenate(music)
    blank = NoMusic(
        mean=_plain(plain.mean(axis=0)),
        scale=_plain(np.maximum(plain.std(axis=0), 1e-3)),
        weights=(),
        bias=0.0,
        threshold=0.0,
        window_s=WINDOW_S,
    )
    x = blank.terms(np.concatenate([plain, *more_music, *against]))
    y = np.arange(len(x)) >= len(x) - sum(map(len, against))
    fitted = LogisticRegression(C=STRENGTH, max_iter=2000, class_weight="balanced").fit(x, y)
    return replace(blank, weights=_plain(fitted.coef_[0]), bias=float(fitted.intercept_[0]))


def _plain(x: Array) -> tuple[float, ...]:
    return tuple(float(f"{v:.6g}") for v in x)
