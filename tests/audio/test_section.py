"""Sections: slices of the whole, refused before much is decoded where they are too long."""

from __future__ import annotations

import io

import numpy as np
import pytest
from audio_makers import SEEKING, SKIPPING, recording
from hypothesis import given, settings
from hypothesis import strategies as st

from genrescope.audio.decode import decode, stream
from genrescope.errors import AudioError, AudioTooLongError


@pytest.mark.slow
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


class Counted(io.BytesIO):
    """Counts the bytes a decoder takes."""

    taken = 0

    def read(self, n: int | None = -1) -> bytes:
        data = super().read(n)
        self.taken += len(data)
        return data


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wav16", "flac", "ogg", "mp3", "m4a-faststart", "wma", "webm"])
def test_a_header_over_the_limit_is_refused_at_once(kind: str) -> None:
    file = Counted(recording(kind, 60.0, 22_050, 1))
    with pytest.raises(AudioTooLongError, match="longer than 10 seconds"):
        decode(file, max_duration_s=10.0)
    assert file.taken < 0.8 * len(file.getvalue())


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_limit_is_on_the_section_and_at_the_limit_nothing_is_refused() -> None:
    data = recording("wav16")
    assert decode(data, max_duration_s=2.0).duration == 2.0
    assert decode(data, start=0.5, duration=1.0, max_duration_s=1.0).duration == 1.0
    with pytest.raises(AudioTooLongError, match="longer than 2 minutes"):
        decode(recording("flac", 121.0, 8_000, 1), max_duration_s=120.0)


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


def test_a_section_beyond_the_end() -> None:
    for kind in ("wav16", "flac", "mp3"):
        with pytest.raises(AudioError, match=r"ends before 7\.5 s\. Choose an earlier start"):
            decode(recording(kind), start=7.5)


@pytest.mark.slow
def test_sections_before_the_damage_are_not_flagged() -> None:
    for kind in ("wav16", "flac", "mp3", "webm"):
        data = recording(kind, 6.0)
        assert decode(data[: len(data) * 3 // 4], duration=0.5).flags == ()
