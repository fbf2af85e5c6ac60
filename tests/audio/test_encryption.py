"""A locked recording is said to be locked."""

from __future__ import annotations

import numpy as np
import pytest
from audio_makers import chord, encoded
from odd_makers import muxed

from genrescope.audio.decode import decode
from genrescope.errors import AudioError


@pytest.mark.parametrize("entry", [b"enca", b"drms", b"aavd"])
@pytest.mark.parametrize("kind", ["m4a", "m4a-faststart", "mp4-fragments", "alac"])
def test_mp4(kind: str, entry: bytes) -> None:
    data = bytearray(encoded(kind, chord(2.0, 44_100), 44_100))
    at = data.index(b"stsd") + 16
    assert data[at : at + 4] in (b"mp4a", b"alac")
    data[at : at + 4] = entry
    with pytest.raises(AudioError, match=r"it is encrypted\. Choose a recording without"):
        decode(bytes(data))


def test_matroska() -> None:
    data = encoded("mka-flac", chord(2.0, 44_100), 44_100)
    cluster = data.index(b"\x1f\x43\xb6\x75")
    encoding = b"\x62\x40\x89\x50\x33\x81\x01\x50\x35\x82\x42\x00"
    void = data.index(b"\xec", 0, cluster)  # the muxer leaves room behind the tracks
    locked = data[: void - 1] + encoding + data[void - 1 + len(encoding) :]
    with pytest.raises(AudioError, match="it is encrypted"):
        decode(locked)


def test_windows_media() -> None:
    data = bytearray(encoded("wma", chord(2.0, 44_100), 44_100))
    size = int.from_bytes(data[16:24], "little")
    locked = bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e") + (24).to_bytes(8, "little")
    data[size:size] = locked
    data[16:24] = (size + 24).to_bytes(8, "little")
    data[24:28] = (int.from_bytes(data[24:28], "little") + 1).to_bytes(4, "little")
    with pytest.raises(AudioError, match="it is encrypted"):
        decode(bytes(data))


def test_of_two_tracks_the_clear_one_is_heard() -> None:
    data = bytearray(muxed(chord(2.0, 44_100), 44_100, "mov", "pcm_s16le", n_tracks=2))
    first = data.index(b"stsd") + 16
    data[first : first + 4] = b"enca"
    wave = decode(bytes(data))
    np.testing.assert_allclose(
        wave.samples[2_000:-2_000], chord(2.0)[2_000:-2_000, 0] / 2, atol=2e-2
    )
