"""`truncated` means that sound is missing: not a tag, a time stamp, a picture or an open length."""

from __future__ import annotations

from functools import cache

import pytest
from audio_makers import chord, encoded
from odd_makers import muxed

from genrescope.audio.decode import decode

FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "frag_duration": "500000"}
WHOLE = {
    "webm from 30 s": ("webm", "libopus", 48_000, {"starts_s": 30.0}),
    "mka from 3 h": ("matroska", "flac", 44_100, {"starts_s": 10_800.0}),
    "asf from 30 s": ("asf", "wmav2", 44_100, {"starts_s": 30.0}),
    "opus from 30 s": ("ogg", "libopus", 48_000, {"starts_s": 30.0}),
    "fragments from 30 s": ("mp4", "aac", 44_100, {"starts_s": 30.0, "options": FRAGMENTS}),
    "webm with a picture": ("webm", "libopus", 48_000, {"picture_s": 9.0}),
    "webm, sound later": ("webm", "libopus", 48_000, {"picture_s": 9.0, "starts_s": 5.0}),
    "mkv with a picture": ("matroska", "aac", 44_100, {"picture_s": 9.0}),
    "mp4 with a picture": ("mp4", "aac", 44_100, {"picture_s": 9.0}),
    "mov with a picture": ("mov", "pcm_s16le", 44_100, {"picture_s": 9.0}),
    "wmv with a picture": ("asf", "wmav2", 44_100, {"picture_s": 9.0}),
    "avi with a picture": ("avi", "libmp3lame", 44_100, {"picture_s": 9.0}),
    "flv": ("flv", "libmp3lame", 44_100, {}),
    "transport stream": ("mpegts", "mp2", 44_100, {}),
    "program stream": ("vob", "mp2", 44_100, {}),
    "mp3 in wav": ("wav", "libmp3lame", 44_100, {}),
    "ac3 in wav": ("wav", "ac3", 44_100, {}),
    "alac in caf": ("caf", "alac", 44_100, {}),
    "avi": ("avi", "libmp3lame", 44_100, {}),
    "tta": ("tta", "tta", 44_100, {}),
}
CUT = [name for name in WHOLE if not name.startswith(("mp4", "mov", "alac"))]  # index at the end


@cache
def recording(name: str) -> bytes:
    container, codec, sr, options = WHOLE[name]
    return muxed(chord(4.0, sr), sr, container, codec, **options)


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_recording_has_no_flag(name: str) -> None:
    wave = decode(recording(name), max_duration_s=20.0)
    assert wave.flags == ()
    assert wave.duration == pytest.approx(4.0, abs=0.1)


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("share", [0.4003, 0.6531, 0.9])
def test_a_cut_one_keeps_its_flag(name: str, share: float) -> None:
    data = recording(name)
    if "picture" in name or "later" in name:
        share = min(share, 0.35)  # of the sound, which ends before the picture
    wave = decode(data[: round(share * len(data))])
    assert wave.flags == ("truncated",)
    assert wave.duration < 3.95


def test_an_avi_whose_sizes_were_never_filled_in() -> None:
    data = bytearray(recording("avi"))
    for mark in (b"RIFF", b"LIST\0\0\0\0movi"):
        at = data.index(mark) if mark == b"RIFF" else data.index(b"movi") - 8
        data[at + 4 : at + 8] = bytes(4)
    assert decode(bytes(data)).flags == ()
    assert decode(bytes(data[: len(data) * 2 // 3])).flags == ("truncated",)


def test_a_caf_of_unknown_length() -> None:
    data = bytearray(encoded("caf", chord(2.0, 44_100), 44_100))
    at = data.index(b"data")
    data[at + 4 : at + 12] = b"\xff" * 8
    wave = decode(bytes(data))
    assert wave.flags == ()
    assert wave.duration == pytest.approx(2.0, abs=1e-3)


def test_a_caf_of_known_length_that_is_cut() -> None:
    data = encoded("caf", chord(2.0, 44_100), 44_100)
    assert decode(data[: len(data) // 2]).flags == ("truncated",)


def test_the_limit_is_on_what_is_heard_not_on_time_stamps() -> None:
    for name in ("webm from 30 s", "mka from 3 h", "asf from 30 s", "fragments from 30 s"):
        assert decode(recording(name), max_duration_s=4.2).duration == pytest.approx(4.0, abs=0.1)
