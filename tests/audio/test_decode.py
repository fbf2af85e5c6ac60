"""Every format gives the same sound: whole, in sections, in blocks, from any kind of source."""

from __future__ import annotations

import io
import subprocess
import sys
import tracemalloc
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
from audio_makers import FFMPEG, LOSSLESS, SNDFILE, aligned, chord, encoded
from hypothesis import given, settings
from hypothesis import strategies as st

from genrescope.audio.decode import AUDIO_SUFFIXES, decode, decode_channels, stream
from genrescope.errors import AudioTooLongError
from genrescope.mastering.polish import polish

KINDS = (*SNDFILE, *FFMPEG, "webm-browser")
SEEKING = ("wav24", "aiff", "au", "flac")
SKIPPING = ("ogg", "mp3", "m4a", "opus", "webm-browser", "wma")


@cache
def recording(kind: str, seconds: float = 2.0, sr: int = 44_100, n_channels: int = 2) -> bytes:
    return encoded(kind, chord(seconds, sr, n_channels=n_channels), sr)


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_gives_the_sound_that_went_in(kind: str) -> None:
    wave = decode(recording(kind), sr=None)
    assert wave.sr == (48_000 if "opus" in kind or "webm" in kind else 44_100)
    assert wave.samples.dtype == np.float32
    assert wave.flags == ()
    assert wave.duration == pytest.approx(2.0, abs=0.06)
    got, original = aligned(wave.samples, chord(2.0, wave.sr)[:, 0], wave.sr // 10)
    assert np.corrcoef(got, original)[0, 1] > 0.98
    level_db = 20 * np.log10(got.std() / original.std())
    assert level_db == pytest.approx(0.0, abs=0.5)
    if kind in LOSSLESS:
        bits = 7 if kind.endswith("8") else 15
        assert np.abs(got - original).max() <= 2.0**-bits


@pytest.mark.parametrize("n_channels", [1, 2, 6])
@pytest.mark.parametrize(
    "sr", [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000]
)
def test_rates_depths_and_channels_agree_with_the_22050_hz_mono_original(
    sr: int, n_channels: int
) -> None:
    original = chord(0.4)[:, 0]
    for kind in ("wav8", "wav16", "wav24", "wav-float", "flac24"):
        wave = decode(recording(kind, 0.4, sr, n_channels))
        assert wave.sr == 22_050
        assert len(wave.samples) == pytest.approx(len(original), abs=1)
        error = wave.samples[500:-500] - original[500 : len(wave.samples) - 500]
        assert np.abs(error).max() < (0.02 if kind == "wav8" else 1e-3)


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


def test_float_files_keep_what_is_beyond_full_scale() -> None:
    loud = 3.5 * chord(0.5)
    for kind in ("wav-float", "wav-double", "aiff-float", "au-float"):
        np.testing.assert_allclose(decode(encoded(kind, loud, 22_050)).samples, loud[:, 0])


def test_a_path_bytes_and_file_objects_are_the_same(tmp_path: Path) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self, data: bytes) -> None:
            self._rest = io.BytesIO(data)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            return self._rest.readinto(buffer)

    for kind in ("flac", "mp3"):
        data = recording(kind)
        path = tmp_path / f"a recording.{kind}"
        path.write_bytes(data)
        expected = decode(data).samples
        moved = io.BytesIO(data)
        moved.seek(1000)
        with path.open("rb") as file:
            for source in (path, str(path), file, moved, Pipe(data)):
                np.testing.assert_array_equal(decode(source).samples, expected)
            assert not file.closed


def test_a_name_that_is_no_text_and_an_ending_that_lies(tmp_path: Path) -> None:
    path = tmp_path / "caf\udce9.raw"
    for kind in ("m4a", "wav16", "flac"):
        path.write_bytes(recording(kind))
        assert decode(path).duration == pytest.approx(2.0, abs=0.06)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([*SEEKING, *SKIPPING]),
    st.floats(0.001, 3.0),
    st.floats(0.0, 1.5),
    st.none() | st.floats(0.1, 2.0),
    st.sampled_from([None, 8_000, 22_050, 48_000]),
)
def test_blocks_concatenate_to_the_whole(
    kind: str, block_s: float, start: float, duration: float | None, sr: int | None
) -> None:
    whole = decode(recording(kind), sr=sr, start=start, duration=duration)
    blocks = list(stream(recording(kind), sr=sr, block_s=block_s, start=start, duration=duration))
    np.testing.assert_array_equal(np.concatenate([b.samples for b in blocks]), whole.samples)
    assert {b.sr for b in blocks} == {whole.sr}
    lengths = [len(b.samples) for b in blocks]
    assert set(lengths[:-1]) <= {max(1, round(block_s * whole.sr))}
    assert 0 < lengths[-1] <= max(lengths)


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from([*SEEKING, *SKIPPING]),
    st.sampled_from([8_000, 22_050, 44_100, 48_000]),
    st.floats(0.0, 1.9),
    st.floats(0.01, 2.5),
    st.sampled_from([None, 16_000, 22_050, 44_100]),
)
def test_a_section_is_a_slice_of_the_whole(
    kind: str, file_sr: int, start: float, duration: float, sr: int | None
) -> None:
    data = recording(kind, 2.0, file_sr)
    whole = decode(data, sr=sr)
    first, last = round(start * whole.sr), round((start + duration) * whole.sr)
    section = decode(data, sr=sr, start=start, duration=duration)
    assert section.sr == whole.sr
    np.testing.assert_allclose(section.samples, whole.samples[first:last], atol=1e-5)


def test_the_shortest_section_is_one_sample() -> None:
    assert len(decode(recording("wav16"), duration=1e-6).samples) == 1
    assert len(decode(recording("wav16"), start=0.5, duration=1e-6).samples) == 1


def test_streaming_needs_memory_for_its_blocks_alone() -> None:
    silence_and_sound = np.tile(chord(5.0, 8_000), (120, 1))  # ten minutes: 53 MB decoded
    data = encoded("flac", silence_and_sound, 8_000)
    decode(recording("flac"))  # what the first call imports is not counted
    tracemalloc.start()
    n_samples = sum(len(block.samples) for block in stream(data, block_s=5.0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n_samples == 600 * 22_050
    assert peak < 8_000_000


class Counted(io.BytesIO):
    """Counts the bytes a decoder takes."""

    taken = 0

    def read(self, n: int | None = -1) -> bytes:
        data = super().read(n)
        self.taken += len(data)
        return data


@pytest.mark.parametrize("kind", ["wav16", "flac", "ogg", "mp3", "m4a-faststart", "wma", "webm"])
def test_a_header_over_the_limit_is_refused_at_once(kind: str) -> None:
    file = Counted(recording(kind, 60.0, 22_050, 1))
    with pytest.raises(AudioTooLongError, match="longer than 10 seconds"):
        decode(file, max_duration_s=10.0)
    assert file.taken < 0.8 * len(file.getvalue())


@pytest.mark.parametrize("kind", ["mp3-bare", "aac", "webm-browser", "ac3"])
def test_without_a_length_in_the_header_the_limit_holds_as_blocks_come(kind: str) -> None:
    file = Counted(recording(kind, 40.0, 44_100, 1))
    with pytest.raises(AudioTooLongError):
        for _ in stream(file, block_s=1.0, max_duration_s=5.0):
            pass
    assert file.taken < 0.8 * len(file.getvalue())


def test_a_header_that_hides_the_length_does_not_pass_the_limit() -> None:
    data = bytearray(recording("flac", 60.0, 22_050, 1))
    data[21] &= 0xF0
    data[22:26] = bytes(4)  # FLAC's "unknown" number of samples
    assert decode(bytes(data)).duration == pytest.approx(60.0)
    with pytest.raises(AudioTooLongError):
        decode(bytes(data), max_duration_s=10.0)


def test_the_limit_is_on_the_section_and_at_the_limit_nothing_is_refused() -> None:
    data = recording("wav16")
    assert decode(data, max_duration_s=2.0).duration == 2.0
    assert decode(data, start=0.5, duration=1.0, max_duration_s=1.0).duration == 1.0
    with pytest.raises(AudioTooLongError, match="longer than 2 minutes"):
        decode(recording("flac", 121.0, 8_000, 1), max_duration_s=120.0)


@pytest.mark.parametrize(
    ("n_channels", "sr", "wanted"),
    [(1, 8_000, (1, 8_000)), (6, 48_000, (2, 48_000)), (8, 192_000, (1, 48_000))],
)
def test_decode_channels_is_for_loudspeakers(
    n_channels: int, sr: int, wanted: tuple[int, int]
) -> None:
    samples = chord(1.0, sr, n_channels=n_channels)
    got, rate = decode_channels(encoded("wav-float", samples, sr))
    assert (got.shape[1], rate) == wanted
    assert len(got) == pytest.approx(rate, abs=1)
    alone = polish(samples, sr)
    on_the_way = polish(got, rate)
    assert on_the_way.lufs == pytest.approx(alone.lufs, abs=0.1)
    assert np.corrcoef(on_the_way.samples[:40_000, 0], alone.samples[:40_000, 0])[0, 1] > 0.99


def test_decode_channels_keeps_two_channels_and_their_rate() -> None:
    samples = np.stack([chord(1.0, 48_000, seed=i)[:, 0] for i in range(2)], axis=1)
    for kind in ("wav-float", "mka-flac"):
        got, sr = decode_channels(encoded(kind, samples, 48_000))
        assert sr == 48_000
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, samples, atol=1e-4)
    with pytest.raises(AudioTooLongError):
        decode_channels(encoded("mp3", samples, 48_000), max_duration_s=0.5)


@pytest.mark.parametrize(
    "options",
    [
        *({"sr": 0}, {"sr": 10**7}, {"start": -1.0}, {"start": float("nan")}),
        *({"duration": 0.0}, {"duration": -1.0}, {"max_duration_s": 0.0}),
    ],
)
def test_options_without_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        decode(recording("wav16"), **options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="block_s must be positive"):
        stream(recording("wav16"), block_s=0.0)
    with pytest.raises(TypeError, match="a path, bytes or a binary file"):
        decode(123)  # type: ignore[arg-type]


def test_importing_it_loads_no_codec() -> None:
    code = "import sys, genrescope.audio.decode; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"av", "soundfile", "soxr"} & set(run.stdout.split())


def test_real_files_sound_like_libsndfile_says(clips_dir: Path) -> None:
    paths = [p for p in sorted(clips_dir.iterdir()) if p.suffix in AUDIO_SUFFIXES]
    assert len(paths) == 8
    for path in paths:
        wave = decode(path, sr=None, start=1.0, duration=4.0)
        with soundfile.SoundFile(path) as sound:
            sound.seek(wave.sr)
            reference = sound.read(4 * wave.sr, dtype="float32", always_2d=True).mean(axis=1)
        got, expected = aligned(wave.samples, reference, 3_000)
        assert np.corrcoef(got, expected)[0, 1] > 0.9999, path
        assert wave.flags == ()
