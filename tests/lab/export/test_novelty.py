"""What is learned of music and of what is none."""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lab_makers import few_counterexamples
from numpy.typing import NDArray

from genrescope.audio.decode import decode
from genrescope.data.store import FeatureStore
from genrescope.data.track import Track
from genrescope.features.config import STORE_CONFIG, FeatureConfig
from genrescope.features.spectrogram import compute_features, log_mel
from genrescope.lab import sounds
from genrescope.lab.export.novelty import (
    COUNTEREXAMPLES,
    fit_no_music,
    in_a_narrow_band,
    made_clips,
    under_noise,
)
from genrescope.model.novelty import NoMusic

Array = NDArray[Any]
SR = STORE_CONFIG.sr


def band_of(n: int, *, seed: int, config: FeatureConfig = STORE_CONFIG) -> list[Array]:
    """Music of a kind: a few parts, and a beat of noise."""
    clips = []
    for i in range(n):
        rng = np.random.default_rng([seed, i])
        length = 9 * SR
        x = sum(sounds.melody(length, SR, rng=rng) for _ in range(3))
        beat = np.arange(length) % round(SR * rng.uniform(0.3, 0.6))
        drum = sounds.coloured_noise(length, SR, slope=0.5, rng=rng) * np.exp(-beat / (0.05 * SR))
        clips.append(compute_features([x + rng.uniform(1, 4) * drum], config))
    return clips


def store_of(clips: list[Array], config: FeatureConfig = STORE_CONFIG) -> FeatureStore:
    facts = tuple(Track(f"t{i}", "ab"[i % 2], duration=9.0) for i in range(len(clips)))
    return FeatureStore(config, facts, {}, "bands", [c.T.astype(np.float16) for c in clips])


@pytest.fixture(scope="module")
def fitted() -> NoMusic:
    with few_counterexamples(10):
        store = store_of(band_of(32, seed=0))
        model = fit_no_music(store, store.tracks)
        again = fit_no_music(store, store.tracks)
    assert again == model  # the same store gives the same bundle
    return model


def flagged(model: NoMusic, clips: list[Array]) -> float:
    scores = [model.score(clip, frame_rate=STORE_CONFIG.frame_rate) for clip in clips]
    return float(np.mean(np.array(scores) > model.threshold))


@pytest.mark.slow
def test_unseen_music_passes_and_unseen_noise_does_not(fitted: NoMusic) -> None:
    assert flagged(fitted, band_of(12, seed=1)) <= 2 / 12  # learned from 32 clips alone
    rng = np.random.default_rng(77)
    t = np.arange(5 * SR) / SR
    others = [
        sounds.coloured_noise(5 * SR, SR, slope=0.0, rng=rng),
        sounds.coloured_noise(5 * SR, SR, slope=1.0, rng=rng),
        np.sin(2 * np.pi * 440 * t),
        np.sin(2 * np.pi * 1000 * t) + 0.5 * np.sin(2 * np.pi * 50 * t),
        sounds.hum(5 * SR, SR, mains_hz=50, rng=rng),
        sounds.clicks(5 * SR, SR, rate_hz=2.0, rng=rng),
        *(sounds.speech(5 * SR, SR, rng=rng) for _ in range(6)),
    ]
    assert flagged(fitted, [log_mel(x, STORE_CONFIG) for x in others]) >= 11 / 12


@pytest.mark.slow
def test_figures_are_shares_of_each_kind(fitted: NoMusic) -> None:
    assert list(fitted.figures) == ["music", *COUNTEREXAMPLES]
    assert all(0 <= share <= 1 for share in fitted.figures.values())
    assert NoMusic.from_dict(fitted.to_dict()) == fitted


@pytest.mark.slow
def test_counterexamples_depend_on_the_seed_alone() -> None:
    with few_counterexamples(2):
        first = made_clips(STORE_CONFIG, seed=0)
        made_clips.cache_clear()
        again, other = made_clips(STORE_CONFIG, seed=0), made_clips(STORE_CONFIG, seed=1)
    assert list(first) == [*COUNTEREXAMPLES, "melody"]
    for kind, clips in first.items():
        assert len(clips) == 2
        for a, b, c in zip(clips, again[kind], other[kind], strict=True):
            np.testing.assert_array_equal(a, b)
            assert not np.array_equal(a, c)


@pytest.mark.slow
def test_noise_is_learned_that_falls_on_below_what_can_be_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Brown noise as a random walk makes it is all rumble, and so is some of what is learned."""
    walk = compute_features(
        [np.cumsum(np.random.default_rng(0).standard_normal(5 * SR))], STORE_CONFIG
    )
    with few_counterexamples(1):
        monkeypatch.setitem(COUNTEREXAMPLES, "noise", (30, COUNTEREXAMPLES["noise"][1]))
        made = made_clips(STORE_CONFIG, seed=0)["noise"]
    assert min(clip[64:].mean() for clip in made) < walk[64:].mean()


@pytest.mark.slow
def test_a_linear_spectrogram_is_learned_from_as_well() -> None:
    config = FeatureConfig(n_fft=256, hop_length=1708, n_mels=None, kind="stft")
    music = band_of(24, seed=0, config=config)
    store = store_of(music[:16], config)
    with few_counterexamples(10):
        model = fit_no_music(store, store.tracks)
        noise = made_clips(config, seed=9)["noise"]
    assert noise[0].shape[0] == 129
    assert flagged(model, noise) >= 0.8
    assert flagged(model, music[16:]) <= 0.3


def test_noise_is_laid_under_at_its_distance() -> None:
    rng = np.random.default_rng(0)
    windows, noise = np.full((500, 4, 10), -10.0), [np.full((4, 10), -50.0)]
    added = 10 * np.log10(10 ** (under_noise(windows, noise, rng) / 10) - 0.1)
    below = -10 - added
    assert below.min() == pytest.approx(0, abs=0.2)
    assert below.max() == pytest.approx(20, abs=0.2)


@pytest.fixture(scope="module")
def gtzan_model(gtzan_dir: Path) -> tuple[NoMusic, FeatureStore, list[str]]:
    """Learned from a fifth of the train tracks and fewer counterexamples, for speed."""
    store = FeatureStore.load(gtzan_dir / "mel_u8.npz")
    with (gtzan_dir / "tracks.csv").open() as file:
        part = {row["track"]: row["fault_filtered"] for row in csv.DictReader(file)}
    train, valid = ([t for t in store.tracks if part[t] == p] for p in ("train", "valid"))
    with few_counterexamples(30):
        model = fit_no_music(store, train[::5])
    return model, store, valid


@pytest.mark.slow
def test_few_real_tracks_are_flagged(
    gtzan_model: tuple[NoMusic, FeatureStore, list[str]],
) -> None:
    model, store, valid = gtzan_model
    assert flagged(model, [store.get(track) for track in valid[::2]]) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("voice", ["en", "de", "hu+f3"])
def test_speech_of_a_synthesiser_it_never_heard_is_flagged(
    gtzan_model: tuple[NoMusic, FeatureStore, list[str]], voice: str
) -> None:
    espeak = shutil.which("espeak-ng")
    if espeak is None:
        pytest.skip("needs espeak-ng")
    text = "The north wind and the sun were disputing which was the stronger, " * 3
    wav = subprocess.run(
        [espeak, "-v", voice, "--stdout", text], capture_output=True, check=True, timeout=300
    ).stdout
    model, _, _ = gtzan_model
    assert flagged(model, [log_mel(decode(wav).samples, STORE_CONFIG)]) == 1.0


def test_a_narrow_band_ends_steeply_and_keeps_its_middle() -> None:
    windows = np.zeros((400, 128, 10))
    narrow = in_a_narrow_band(windows, np.random.default_rng(0))
    assert narrow.max() <= 0
    assert (narrow[:, 26:64] == 0).all()
    lost = (narrow[:, :, 0] < -50).mean(axis=0)
    assert lost[0] > 0.4
    assert lost[127] > 0.8
    assert narrow.min() >= -100


@pytest.mark.slow
def test_music_by_telephone_passes(fitted: NoMusic) -> None:
    clips = [np.maximum(clip, clip.max() - 80) for clip in band_of(12, seed=2)]
    for clip in clips:
        clip[:16] = clip[81:] = clip.max() - 80
    assert flagged(fitted, clips) <= 2 / 12
