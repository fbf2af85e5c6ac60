"""Every format gives the same sound: whole, in sections, in blocks, from any kind of source."""

from __future__ import annotations

import io
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from audio_makers import KINDS, LOSSLESS, SEEKING, SKIPPING, aligned, chord, encoded, recording
from hypothesis import given, settings
from hypothesis import strategies as st

from genrescope.audio.decode import AUDIO_SUFFIXES, decode, decode_channels, stream
from genrescope.mastering.polish import polish


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


@pytest.mark.slow
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


@pytest.mark.slow
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


def test_importing_it_loads_no_codec() -> None:
    code = "import sys, genrescope.audio.decode; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
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
