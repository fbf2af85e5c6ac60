"""The front end against librosa, against the stored spectrograms, and against itself."""

from __future__ import annotations

import csv
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from feature_makers import configs, noisy_tones
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from genrescope.features.config import STORE_CONFIG, FeatureConfig
from genrescope.features.spectrogram import log_mel, log_mel_stream, standardise, stft_db

Float32 = NDArray[np.float32]
TOLERANCE_DB = 0.05


def librosa_stft_db(samples: Float32, config: FeatureConfig) -> Float32:
    spectrum = librosa.stft(y=samples, n_fft=config.n_fft, hop_length=config.hop_length)
    return librosa.power_to_db(np.abs(spectrum) ** 2, ref=np.max, top_db=config.top_db)


def librosa_log_mel(samples: Float32, config: FeatureConfig) -> Float32:
    mel = librosa.feature.melspectrogram(
        y=samples,
        sr=config.sr,
        n_fft=config.n_fft,
        hop_length=config.hop_length,
        n_mels=config.n_mels,
        fmin=config.fmin,
        fmax=config.fmax,
    )
    return librosa.power_to_db(mel, ref=np.max, top_db=config.top_db)


# librosa warns of clips shorter than a frame and of filters narrower than a Fourier bin; that its
# numbers are met there too is what is tested.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:n_fft=:UserWarning", "ignore:Empty filters:UserWarning")
@settings(max_examples=40, deadline=None)
@example(config=FeatureConfig(), n_samples=1, seed=0, gain=0.3)
@example(config=STORE_CONFIG, n_samples=22_050 * 4, seed=0, gain=0.3)
@given(configs(), st.integers(1, 60_000), st.integers(0, 99), st.sampled_from([0.3, 1e-4, 30.0]))
def test_librosa_gives_the_same(
    config: FeatureConfig, n_samples: int, seed: int, gain: float
) -> None:
    # librosa itself cannot frame a clip of fewer samples than an odd n_fft leaves over.
    assume(n_samples > 1 or config.n_fft % 2 == 0)
    samples = noisy_tones(n_samples, seed=seed, gain=gain)
    ours, theirs = log_mel(samples, config), librosa_log_mel(samples, config)
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape == (config.n_bins, config.frames(n_samples))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE_DB)
    np.testing.assert_allclose(
        stft_db(samples, config), librosa_stft_db(samples, config), rtol=0, atol=TOLERANCE_DB
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vibe_ace.ogg", "hungarian_dance_5.ogg", "horned_viper.mp3"])
@pytest.mark.parametrize("config", [FeatureConfig(), STORE_CONFIG], ids=["talk", "store"])
def test_librosa_gives_the_same_on_real_music(
    clips_dir: Path, name: str, config: FeatureConfig
) -> None:
    channels, _ = soundfile.read(clips_dir / name, dtype="float32", frames=500_000, always_2d=True)
    samples = channels.mean(axis=1)
    for ours, theirs in (
        (log_mel(samples, config), librosa_log_mel(samples, config)),
        (stft_db(samples, config), librosa_stft_db(samples, config)),
    ):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE_DB)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@example(cuts=[], hop_length=512, n_samples=40_000)
@example(cuts=[1, 1, 2], hop_length=5000, n_samples=400_000)
@given(
    st.lists(st.integers(0, 400_000), max_size=6),
    st.integers(100, 5000),
    st.sampled_from([1, 2047, 40_000, 400_000]),
)
def test_a_stream_gives_the_same_bits(cuts: list[int], hop_length: int, n_samples: int) -> None:
    config = FeatureConfig(hop_length=hop_length)
    samples = noisy_tones(n_samples, seed=len(cuts))
    blocks = np.split(samples, sorted(min(cut, n_samples) for cut in cuts))
    np.testing.assert_array_equal(log_mel_stream(blocks, config), log_mel(samples, config))


def test_a_stream_may_reuse_its_buffer() -> None:
    samples = noisy_tones(50_000, seed=1)
    buffer = np.empty(1_000, dtype=np.float32)

    def refill() -> object:
        for start in range(0, 50_000, 1_000):
            buffer[:] = samples[start : start + 1_000]
            yield buffer

    np.testing.assert_array_equal(
        log_mel_stream(refill(), STORE_CONFIG), log_mel(samples, STORE_CONFIG)
    )


def test_samples_are_left_alone_and_may_be_any_view() -> None:
    channels = np.stack([noisy_tones(30_000, seed=s) for s in (1, 2)], axis=1)
    channels.setflags(write=False)
    np.testing.assert_array_equal(
        log_mel(channels[:, 0], STORE_CONFIG), log_mel(channels[:, 0].copy(), STORE_CONFIG)
    )


@pytest.mark.parametrize("n_samples", [1, 100, 66_150])
def test_digital_silence_is_its_own_maximum(n_samples: int) -> None:
    silence = np.zeros(n_samples, dtype=np.float32)
    for features in (log_mel(silence, STORE_CONFIG), stft_db(silence, STORE_CONFIG)):
        assert not features.any()
        assert not standardise(features).any()


def test_values_lie_between_floor_and_zero() -> None:
    samples = np.concatenate([noisy_tones(40_000, seed=3), np.zeros(40_000, dtype=np.float32)])
    for features in (log_mel(samples, STORE_CONFIG), stft_db(samples, STORE_CONFIG)):
        assert features.max() == 0.0
        assert features.min() == -80.0


@pytest.mark.parametrize(
    ("samples", "message"), [([], "no samples"), (np.zeros((9, 2)), "one dimension")]
)
def test_what_cannot_be_analysed_is_refused(samples: object, message: str) -> None:
    for function in (log_mel, stft_db):
        with pytest.raises(ValueError, match=message):
            function(samples, STORE_CONFIG)


@settings(deadline=None)
@given(st.integers(0, 99), st.floats(-80, 80), st.floats(0.01, 30))
def test_standardise_forgets_level_and_range(seed: int, offset: float, scale: float) -> None:
    x = np.random.default_rng(seed).standard_normal((16, 20)).astype(np.float32)
    y = standardise(x * np.float32(scale) + np.float32(offset))
    assert y.dtype == np.float32
    assert abs(y.mean()) < 1e-4
    assert abs(y.std() - 1) < 1e-4
    np.testing.assert_allclose(y, standardise(x), atol=1e-2)


def gtzan_clips(gtzan_dir: Path, *, at_least_s: float) -> list[tuple[str, Float32]]:
    """(track, samples) of the audio that lasts so long."""
    with (gtzan_dir / "audio.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if float(row["seconds"]) >= at_least_s]
    root = gtzan_dir / "audio"
    paths = [(row["track"], root / row["path"].removeprefix("audio/")) for row in rows]
    return [(track, soundfile.read(path, dtype="float32")[0]) for track, path in paths]


@pytest.fixture(scope="module")
def stored(gtzan_dir: Path) -> dict[str, NDArray[np.uint8]]:
    with np.load(gtzan_dir / "mel_u8.npz", allow_pickle=False) as arrays:
        return dict(zip(arrays["track"].tolist(), arrays["mel"], strict=True))


@pytest.mark.slow
def test_stored_columns_come_from_the_audio(
    gtzan_dir: Path, stored: dict[str, NDArray[np.uint8]]
) -> None:
    clips = gtzan_clips(gtzan_dir, at_least_s=29.0)
    assert clips
    for track, samples in clips:
        S = log_mel(samples, FeatureConfig())
        levels = np.clip(np.floor((S - S.min()) / (S.max() - S.min()) * 256), 0, 255)
        columns = np.floor((np.arange(387) + 0.5) * S.shape[1] / 387.5).astype(int)
        difference = np.abs(levels[:, columns] - stored[track])
        assert np.mean(difference <= 1) >= 0.99, track


@pytest.mark.slow
def test_store_config_makes_the_stored_columns(
    gtzan_dir: Path, stored: dict[str, NDArray[np.uint8]]
) -> None:
    # The stored columns begin 681 samples later, and lie up to 300 samples beside an even grid;
    # that is all that separates them. Measured: correlation 0.990 to 0.998, difference 0.04 to
    # 0.09 standard deviations. A clip of another length has a wider grid, and drifts away.
    clips = gtzan_clips(gtzan_dir, at_least_s=29.0)
    usual = [(t, x) for t, x in clips if FeatureConfig().frames(len(x)) == 1293]
    assert usual
    for track, samples in usual:
        ours = standardise(log_mel(samples[681:], STORE_CONFIG))[:, :387]
        theirs = standardise(stored[track])
        assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.985, track
        assert np.abs(ours - theirs).mean() < 0.1, track


def test_store_config_has_the_stored_statistics(
    gtzan_dir: Path, stored: dict[str, NDArray[np.uint8]]
) -> None:
    # Wherever the frames fall: each band's mean and spread over the clip. Measured: 0.006 to
    # 0.018 standard deviations between the means.
    for track, samples in gtzan_clips(gtzan_dir, at_least_s=29.0):
        ours, theirs = standardise(log_mel(samples, STORE_CONFIG)), standardise(stored[track])
        assert np.abs(ours.mean(axis=1) - theirs.mean(axis=1)).mean() < 0.03, track
        assert np.abs(ours.std(axis=1) - theirs.std(axis=1)).mean() < 0.03, track


def test_a_recording_that_is_joined_in_several_parts_is_the_same_as_its_pieces() -> None:
    config = FeatureConfig(n_fft=64, hop_length=16, n_mels=8)
    n_frames = 10_000  # 4,096 are joined at a time
    samples = np.random.default_rng(0).standard_normal(16 * (n_frames - 1)).astype(np.float32)
    whole = log_mel(samples, config)
    assert whole.shape == (8, n_frames)
    for first in (0, 4_000, 8_190):
        # 200 frames with their surroundings; only the clip's level is another.
        part = log_mel(samples[16 * first : 16 * (first + 200)], config)
        apart = whole[:, first + 2 : first + 198] - part[:, 2:198]
        assert np.ptp(apart) < 1e-3
