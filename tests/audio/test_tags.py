"""Tags of any size, before and behind, are no damage and no sound."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
import pytest
from audio_makers import chord, encoded, id3_tag
from hypothesis import given
from hypothesis import strategies as st
from odd_makers import apev2, id3v1, lyrics3, muxed

from genrescope.audio.decode import decode
from genrescope.audio.source import Input
from genrescope.audio.tags import without_tags

BEHIND = {
    "ID3v1": id3v1(),
    "extended ID3v1": id3v1(extended=True),
    "APEv2": apev2(b"x" * 90_000),
    "APEv2 without header": apev2(b"x" * 300, header=False),
    "APEv2 and ID3v1": apev2(b"x" * 200_000) + id3v1(),
    "Lyrics3": lyrics3(b"la " * 30_000),
    "Lyrics3 and ID3v1": lyrics3(b"la " * 100) + id3v1(),
    "old Lyrics3": b"LYRICSBEGIN" + b"la " * 1000 + b"LYRICSEND" + id3v1(),
    "appended ID3v2.4": b"ID3\4\0\x10\0\0\7\x68" + b"x" * 1000 + b"3DI\4\0\x10\0\0\7\x68",
}
BEFORE = {
    "small": id3_tag(b"x" * 300),
    "twice, large": id3_tag(b"x" * 90_000) * 2,
    "APEv2": apev2(b"x" * 90_000),
}


@cache
def recording(kind: str) -> bytes:
    sound = chord(2.0, 44_100)
    return muxed(sound, 44_100, "wv", "wavpack") if kind == "wv" else encoded(kind, sound, 44_100)


@pytest.mark.parametrize("kind", ["mp3", "mp3-bare", "aac", "wv", "flac", "ogg", "wav16", "m4a"])
@pytest.mark.parametrize("tag", BEHIND)
def test_a_tag_behind_the_sound(kind: str, tag: str) -> None:
    expected = decode(recording(kind))
    wave = decode(recording(kind) + BEHIND[tag])
    assert wave.flags == expected.flags == ()
    np.testing.assert_array_equal(wave.samples, expected.samples)


@pytest.mark.parametrize("kind", ["mp3", "mp3-bare", "aac", "wv", "flac", "wav16", "aiff24", "ogg"])
@pytest.mark.parametrize("tag", BEFORE)
def test_a_tag_before_the_sound(kind: str, tag: str) -> None:
    expected = decode(recording(kind))
    wave = decode(BEFORE[tag] + recording(kind) + BEHIND["APEv2 and ID3v1"])
    assert wave.flags == ()
    np.testing.assert_array_equal(wave.samples, expected.samples)


@pytest.mark.parametrize("kind", ["mp3", "wv", "aac"])
@pytest.mark.parametrize("tag", ["APEv2", "Lyrics3 and ID3v1"])
def test_a_cut_recording_with_a_tag_is_still_cut(kind: str, tag: str) -> None:
    data = recording(kind)
    assert decode(data[: len(data) * 2 // 3] + BEHIND[tag]).flags == ("truncated",)


@given(st.binary(min_size=40, max_size=400), st.sampled_from([*BEHIND]), st.sampled_from([*BEFORE]))
def test_what_is_left_is_what_stood_between(content: bytes, behind: str, before: str) -> None:
    content = b"\0" + content + b"\0"
    file = without_tags(Input(io.BytesIO(BEFORE[before] + content + BEHIND[behind]), "x"))
    assert file.read() == content


@given(st.binary(min_size=1, max_size=300))
def test_a_file_without_tags_is_itself_and_one_of_tags_alone_keeps_a_byte(data: bytes) -> None:
    plain = Input(io.BytesIO(b"\0" + data + b"\0"), "x")
    assert without_tags(plain) is plain
    assert without_tags(Input(io.BytesIO(id3v1()), "x")).size > 0
