"""Tracks, codings and files that only FFmpeg reads."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from audio_makers import aligned, chord, encoded
from numpy.typing import NDArray
from odd_makers import dff, dsf, integer_wav, muxed

from genrescope.audio.decode import decode, decode_channels
from genrescope.errors import AudioError


@cache
def two_tracks(container: str, codec: str) -> bytes:
    return muxed(chord(2.0, 44_100), 44_100, container, codec, n_tracks=2)


def test_a_track_that_cannot_be_decoded_is_passed_over() -> None:
    data = bytearray(two_tracks("mov", "pcm_s16le"))
    entry = data.index(b"stsd") + 16
    for unknown in (b"apac", b"????"):
        data[entry : entry + 4] = unknown
        samples = decode(bytes(data)).samples
        np.testing.assert_allclose(
            samples, decode(two_tracks("mov", "pcm_s16le")).samples / 2, atol=1e-4
        )


def test_a_track_whose_frames_are_all_broken_is_passed_over() -> None:
    data = bytearray(two_tracks("mp4", "aac"))
    good = decode(bytes(data)).samples
    config = data.index(b"\x05\x80\x80\x80")  # the decoder's description, of the first track
    data[config + 5 : config + 7] = b"\xff\xff"
    got, expected = aligned(decode(bytes(data)).samples, good, 3_000)
    assert np.corrcoef(got, expected)[0, 1] > 0.99
    assert got.std() < 0.6 * expected.std()


def test_without_any_track_that_can_be_decoded_it_is_refused() -> None:
    data = bytearray(encoded("alac", chord(1.0, 44_100), 44_100))
    entry = data.index(b"stsd") + 16
    data[entry : entry + 4] = b"apac"
    with pytest.raises(AudioError, match="its sound is in a coding that cannot be read"):
        decode(bytes(data))


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 4])
@pytest.mark.parametrize("container", [dsf, dff])
def test_dsd(container: Callable[[NDArray[np.float64], int], bytes], times: int) -> None:
    rate = times * 64 * 44_100
    t = np.arange(rate // 10) / rate
    wave = decode(container(0.4 * np.sin(2 * np.pi * 440 * t), rate))
    assert wave.flags == ()
    assert wave.duration == pytest.approx(0.1, abs=0.02)
    tone = np.sin(2 * np.pi * 440 * np.arange(1_500) / 22_050)
    middle = wave.samples[300:1_800]
    phase = np.exp(2j * np.pi * 440 * np.arange(1_500) / 22_050)
    assert np.abs(middle @ phase) / np.linalg.norm(middle) / np.linalg.norm(tone) > 0.95
    assert len(decode_channels(container(0.4 * np.sin(2 * np.pi * 440 * t), rate))[0]) > 4_000


@pytest.mark.parametrize("sr", [44_100, 8_000])
def test_whole_numbers_of_64_bits(sr: int) -> None:
    sound = chord(1.0, sr)[:, 0]
    wave = decode(integer_wav((sound * 2.0**62).astype(np.int64), sr), sr=None)
    assert wave.flags == ()
    np.testing.assert_allclose(wave.samples, sound / 2, atol=1e-6)


def test_names_that_the_locale_cannot_encode(tmp_path: Path) -> None:
    path = tmp_path / "Bj\N{LATIN SMALL LETTER O WITH DIAERESIS}rk \N{EN DASH} \udce9.mp3"
    path.write_bytes(encoded("mp3", chord(1.0, 44_100), 44_100))
    assert decode(path).duration == pytest.approx(1.0, abs=0.05)
    with path.open("rb") as file:
        assert decode(file, name="\N{EN DASH}\udce9.mp3").flags == ()
