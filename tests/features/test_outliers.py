"""What nobody hears, or hears once, does not decide; ordinary music is touched in no bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from genrescope.audio.decode import decode
from genrescope.features import spectrogram
from genrescope.features.config import HOP_LENGTH, FeatureConfig
from genrescope.features.outliers import Levels, frames_within
from genrescope.features.spectrogram import log_mel, log_mel_stream, stft_db
from genrescope.lab import sounds
from genrescope.lab.robustness.degradations import DEGRADATIONS

SR = 22_050
Samples = NDArray[np.float32]
MEL = FeatureConfig(hop_length=HOP_LENGTH)
CONFIGS = (MEL, FeatureConfig(), FeatureConfig(n_mels=None, hop_length=1024, kind="stft"))


def features(samples: Samples, config: FeatureConfig) -> Samples:
    return (stft_db if config.kind == "stft" else log_mel)(samples, config)


@contextmanager
def nothing_left_out() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spectrogram, "_leave_out", lambda *_: None)
        yield


def assert_untouched(samples: Samples) -> None:
    """The power from which decibels are made is the same, bit for bit, as if nobody had looked."""
    leave_out = spectrogram._leave_out
    for config in CONFIGS:
        touched = []

        def watched(power: Samples, *others: Any, touched: list[bool] = touched) -> None:
            before = power.copy()
            leave_out(power, *others)
            touched.append(not np.array_equal(power, before))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(spectrogram, "_leave_out", watched)
            features(samples, config)
        assert touched == [False]


def melody(seconds: float = 8.0, seed: int = 0) -> Samples:
    x = sounds.melody(round(seconds * SR), SR, rng=np.random.default_rng(seed))
    return (0.5 * x / np.abs(x).max()).astype(np.float32)


def drums(seed: int) -> Samples:
    """Hits of all kinds, some of them much louder than others, over nearly nothing."""
    rng = np.random.default_rng(seed)
    x = 1e-3 * rng.standard_normal(8 * SR)
    for start in rng.integers(0, 7 * SR, int(rng.integers(12, 40))):
        n = round(rng.uniform(0.05, 0.4) * SR)
        hit = rng.standard_normal(n) * np.exp(-rng.uniform(4, 9) * np.arange(n) / n)
        x[start : start + n] += rng.uniform(0.2, 1.0) * hit
    return x.astype(np.float32)


@pytest.mark.slow
@settings(max_examples=25)
@given(st.integers(0, 1000), st.sampled_from([melody, drums]))
def test_made_music_keeps_its_features_to_the_last_bit(
    seed: int, make: Callable[..., Samples]
) -> None:
    assert_untouched(make(seed=seed))


@pytest.mark.slow
def test_real_music_keeps_its_features_to_the_last_bit(gtzan_dir: Path, clips_dir: Path) -> None:
    paths = [p for top in ("audio", "audio_more") for p in sorted((gtzan_dir / top).rglob("*.*"))]
    paths += sorted(clips_dir.glob("*.[mow]*"))
    assert len(paths) > 400
    for path in paths:
        assert_untouched(decode(path).samples)


def test_what_swells_lasts_or_comes_again_is_music() -> None:
    quiet = 0.02 * melody()
    loud = (0.5 * np.sin(np.arange(len(quiet)) / 10)).astype(np.float32)
    for start, end in ((0, 4 * SR), (2 * SR, 2 * SR + SR // 2)):
        x = quiet.copy()
        x[start:end] = loud[start:end]
        assert_untouched(x)
    often = quiet.copy()
    for start in range(SR, 6 * SR, SR):
        often[start : start + 200] = 0.9
    assert_untouched(often)


@pytest.mark.slow
@pytest.mark.parametrize("config", CONFIGS, ids=["store", "fine", "linear"])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", [n for n in DEGRADATIONS if n.startswith(("pop", "thump"))])
def test_a_pop_changes_the_frames_it_stands_in_alone(
    name: str, seed: int, config: FeatureConfig
) -> None:
    music = melody(seed=seed)
    popped = DEGRADATIONS[name](music, SR, np.random.default_rng(seed))
    clean, got = features(music, config), features(popped, config)
    changed = np.abs(got - clean).max(axis=0) > 0.1
    assert changed.sum() <= np.ceil((0.1 * SR + config.n_fft) / config.hop_length) + 1


def test_without_it_a_thump_would_set_the_level_of_all_others() -> None:
    music = melody()
    struck = DEGRADATIONS["thump 40 dB over the peak"](music, SR, np.random.default_rng(0))
    with nothing_left_out():
        changed = np.abs(log_mel(struck, MEL) - log_mel(music, MEL)) > 0.1
    assert changed.any(axis=0).mean() > 0.9


@pytest.mark.parametrize("config", CONFIGS, ids=["store", "fine", "linear"])
@pytest.mark.parametrize("level_db", [10, 20, 30, 40])
@pytest.mark.parametrize("sign", [-1, 1])
def test_an_offset_changes_what_lies_below_hearing_alone(
    level_db: int, sign: int, config: FeatureConfig
) -> None:
    music = melody()
    offset = np.float32(sign * music.std() * 10 ** (level_db / 20))
    clean, got = features(music, config), features(music + offset, config)
    first = 3 if config.kind == "stft" else 1
    inner = slice(3, -3)  # a frame at each end is its neighbour's
    np.testing.assert_allclose(got[first:, inner], clean[first:, inner], atol=0.5)


def test_a_pop_upon_an_offset() -> None:
    music = melody()
    x = (music + np.float32(3.0)).astype(np.float32)
    x[50_000:50_100] += np.float32(15.0)
    got, clean = log_mel(x, MEL)[1:, 3:-3], log_mel(music, MEL)[1:, 3:-3]
    assert (np.abs(got - clean).max(axis=0) > 0.5).sum() <= 3


@pytest.mark.parametrize("n_samples", [1, 100, 1_000, 3_000, SR // 2])
def test_the_shortest_sounds(n_samples: int) -> None:
    rng = np.random.default_rng(n_samples)
    x = (0.1 * rng.standard_normal(n_samples)).astype(np.float32)
    assert_untouched(x)
    for config in CONFIGS:
        assert np.isfinite(features(x + np.float32(9.0), config)).all()


def test_a_click_out_of_silence_is_all_there_is() -> None:
    x = np.zeros(4 * SR, np.float32)
    x[30_000:30_150] = 0.9
    assert_untouched(x)


@pytest.mark.slow
@settings(max_examples=40)
@given(st.data())
def test_blocks_of_any_lengths_give_the_same(data: st.DataObject) -> None:
    x = melody(2.0)
    x[20_000:20_150] += np.float32(40.0)
    x += np.float32(data.draw(st.sampled_from([0.0, 4.0])))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(x)), max_size=12)))
    blocks = np.split(x, cuts)
    np.testing.assert_array_equal(log_mel_stream(blocks, MEL), log_mel(x, MEL))
    levels = Levels(SR)
    for _ in levels.watch(blocks):
        pass
    whole = Levels(SR)
    list(whole.watch([x]))
    assert levels.outliers() == whole.outliers() != []
    assert levels.n_samples == len(x)


@given(st.integers(0, 60_000), st.integers(1, 5_000), st.sampled_from(CONFIGS))
def test_the_frames_that_see_a_span(start: int, length: int, config: FeatureConfig) -> None:
    n_samples = 66_150
    seen = frames_within([(start, start + length)], config, config.frames(n_samples))
    begins = np.arange(len(seen)) * config.hop_length - config.n_fft // 2
    inside = (begins < start + length) & (begins + config.n_fft > start)
    assert (seen >= inside).all()
    assert seen.sum() <= inside.sum() + 1
