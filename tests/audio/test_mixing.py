"""Channels to one and to two, so that nothing is lost that a listener would hear."""

from __future__ import annotations

import numpy as np
import pytest
from audio_makers import aligned, chord, encoded, recording

from genrescope.audio.decode import decode, decode_channels
from genrescope.errors import AudioTooLongError


@pytest.mark.parametrize("kind", ["m4a", "ac3", "ogg", "opus"])
def test_lossy_5_1_keeps_the_sound(kind: str) -> None:
    wave = decode(recording(kind, 2.0, 48_000, 6), sr=None)
    got, original = aligned(wave.samples, chord(2.0, 48_000)[:, 0], 4_800)
    assert np.corrcoef(got, original)[0, 1] > 0.99  # the subwoofer's channel loses its treble


@pytest.mark.parametrize(("kind", "n_channels"), [("wav-float", 8), ("mka-flac", 6)])
def test_mono_is_the_mean_of_the_channels(kind: str, n_channels: int) -> None:
    channels = np.stack([chord(0.5, seed=i)[:, 0] for i in range(n_channels)], axis=1)
    wave = decode(encoded(kind, channels, 22_050))
    np.testing.assert_allclose(wave.samples, channels.mean(axis=1), atol=1e-4)


@pytest.mark.parametrize("kind", ["wav-float", "flac", "mp3", "ogg"])
@pytest.mark.parametrize("right", [-1.0, -0.95])
def test_two_channels_that_cancel_are_heard_by_the_louder_one(kind: str, right: float) -> None:
    left = chord(2.0)[:, 0]
    got = decode(encoded(kind, np.stack([left, right * left], axis=1), 22_050)).samples
    got, original = aligned(got, left, 2_205)
    assert np.corrcoef(got, original)[0, 1] > 0.98
    assert got.std() == pytest.approx(original.std(), rel=0.06)


def test_channels_apart_are_mixed_as_ever() -> None:
    rng = np.random.default_rng(0)
    wide = rng.uniform(-0.5, 0.5, (22_050, 2)).astype(np.float32)
    wide[:, 1] -= 0.6 * wide[:, 0]
    got = decode(encoded("wav-float", wide, 22_050)).samples
    np.testing.assert_allclose(got, wide.mean(axis=1), atol=1e-6)


def test_eight_planes_from_ffmpeg() -> None:
    """PyAV alone crashes on them."""
    wave = decode(encoded("opus", chord(0.5, 48_000, n_channels=8), 48_000), sr=None)
    got, original = aligned(wave.samples, chord(0.5, 48_000)[:, 0], 4_800)
    assert np.corrcoef(got, original)[0, 1] > 0.98


def test_decode_channels_keeps_two_channels_and_their_rate() -> None:
    samples = np.stack([chord(1.0, 48_000, seed=i)[:, 0] for i in range(2)], axis=1)
    for kind in ("wav-float", "mka-flac"):
        got, sr = decode_channels(encoded(kind, samples, 48_000))
        assert sr == 48_000
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, samples, atol=1e-4)
    with pytest.raises(AudioTooLongError):
        decode_channels(encoded("mp3", samples, 48_000), max_duration_s=0.5)
