"""Small files that would take all memory or time: refused, or used as far as they are sound."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from audio_makers import chord, encoded
from odd_makers import alac_with_frames_of, integer_wav, muxed, with_packets

from genrescope.audio import ffmpeg
from genrescope.audio.decode import decode, stream
from genrescope.errors import AudioError, AudioStoppedError

_PEAK = """
import resource, sys
import av, soundfile, soxr
from genrescope.audio.decode import decode
from genrescope.errors import AudioError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    decode(sys.argv[1])
except AudioError:
    pass
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def peak_mb(path: Path) -> int:
    """Megabytes that decoding takes beyond the libraries, whatever comes of it."""
    command = [sys.executable, "-c", _PEAK, str(path)]
    return int(
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    )


@pytest.mark.slow
def test_a_frame_of_millions_of_samples_is_not_decoded(tmp_path: Path) -> None:
    (tmp_path / "frame.m4a").write_bytes(alac_with_frames_of(1 << 24))
    assert peak_mb(tmp_path / "frame.m4a") < 100
    block = with_packets("pcm_s16le", "matroska", [bytes(30_000_000)])
    (tmp_path / "block.mka").write_bytes(block)
    assert peak_mb(tmp_path / "block.mka") < 100
    assert decode(block).flags == ("truncated",)


@pytest.mark.parametrize(("n_channels", "sr"), [(8, 768_000), (32, 192_000)])
def test_many_channels_at_a_high_rate_are_refused(n_channels: int, sr: int) -> None:
    with pytest.raises(AudioError, match=r"6000000 in all are read\. Convert it to two channels"):
        decode(encoded("wav16", np.zeros((1_000, n_channels), np.float32), sr))


def test_each_alone_is_read() -> None:
    for n_channels, sr in ((32, 48_000), (2, 768_000), (8, 192_000)):
        quiet = np.zeros((sr // 10, n_channels), np.float32)
        assert decode(encoded("wav16", quiet, sr)).duration == pytest.approx(0.1, abs=1e-3)


def test_broken_packets_are_tried_so_often_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffmpeg, "_MOST_SILENT_PACKETS", 100)
    tried = 0
    decoded = ffmpeg.AvReader._decoded

    def counted(self: ffmpeg.AvReader, packet: object) -> object:
        nonlocal tried
        tried += 1
        return decoded(self, packet)  # type: ignore[arg-type]

    monkeypatch.setattr(ffmpeg.AvReader, "_decoded", counted)
    data = with_packets("aac", "matroska", [b"\xff" * 8] * 3_000)
    assert decode(data).flags == ("truncated",)
    assert tried < 150


def test_a_deadline_holds_where_no_sound_ever_comes() -> None:
    data = with_packets("aac", "matroska", [b"\xff" * 200] * 15_000)
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 30

    with pytest.raises(AudioStoppedError):
        list(stream(data, should_stop=should_stop))


@pytest.mark.slow
def test_a_stream_that_appears_midway_is_passed() -> None:
    flv = muxed(chord(4.0, 44_100), 44_100, "flv", "libmp3lame")
    at = 13
    while at < len(flv) // 2:
        at += 15 + int.from_bytes(flv[at + 1 : at + 4], "big")
    picture = b"\x22\0\0\x84" + bytes(60)
    size = len(picture).to_bytes(3, "big")
    tag = b"\x09" + size + flv[at + 4 : at + 8] + b"\0\0\0" + picture
    tag += (len(tag)).to_bytes(4, "big")
    wave = decode(flv[:at] + tag + flv[at:])
    assert wave.flags == ()
    assert wave.duration == pytest.approx(4.0, abs=0.1)


def test_the_decoders_that_are_let_near_a_file_are_of_sound_alone() -> None:
    known = 0
    for name in ffmpeg._DECODERS.split(","):
        try:
            codec = av.Codec(name, "r")
        except ValueError:  # this build of FFmpeg lacks it
            continue
        known += 1
        assert codec.type == "audio", name
    assert known > 50


def test_a_film_is_heard_though_its_picture_is_not_decoded() -> None:
    for container, codec in (("matroska", "aac"), ("webm", "libopus"), ("avi", "libmp3lame")):
        film = muxed(chord(2.0, 48_000), 48_000, container, codec, picture_s=2.0)
        assert decode(film).duration == pytest.approx(2.0, abs=0.1)


def test_a_header_that_promises_gigabytes_takes_none(tmp_path: Path) -> None:
    data = bytearray(integer_wav(np.arange(2_000, dtype=np.int16), 8_000))
    data[40:44] = (0x7000_0000).to_bytes(4, "little")
    (tmp_path / "large.wav").write_bytes(data)
    assert peak_mb(tmp_path / "large.wav") < 50


@pytest.mark.slow
def test_a_playlist_is_no_sound() -> None:
    """FFmpeg would open what such a list names, here and on other machines."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/secret.ts"
        playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{address}\n#EXT-X-ENDLIST\n"
        for text in (playlist, f"ffconcat version 1.0\nfile {address}\n"):
            with pytest.raises(AudioError, match="no sound format"):
                decode(text.encode())
        with pytest.raises(TimeoutError):
            server.accept()
