"""Whatever bytes come from: short reads, pipes, parts of a file, a caller who has had enough."""

from __future__ import annotations

import io
import os
import threading

import numpy as np
import pytest
from audio_makers import chord, encoded
from hypothesis import given
from hypothesis import strategies as st

from genrescope.audio.decode import decode, decode_channels, stream
from genrescope.audio.source import Input
from genrescope.errors import AudioStoppedError

KINDS = ("wav16", "flac", "mp3", "ogg", "m4a", "webm")


class Short(io.BytesIO):
    """Returns fewer bytes than are asked for, as network files do."""

    def read(self, n: int | None = -1) -> bytes:
        return super().read(n if n is None or n < 0 else min(n, 1_000))


@pytest.mark.parametrize("kind", KINDS)
def test_short_reads_are_no_end(kind: str) -> None:
    data = encoded(kind, chord(2.0, 44_100), 44_100)
    wave = decode(Short(data))
    assert wave.flags == ()
    np.testing.assert_array_equal(wave.samples, decode(data).samples)


@given(st.binary(max_size=60), st.integers(0, 60), st.integers(0, 60), st.data())
def test_a_part_is_a_file_of_its_own(data: bytes, a: int, b: int, draw: st.DataObject) -> None:
    start, end = sorted((min(a, len(data)), min(b, len(data))))
    part = Input(io.BytesIO(data), "x").part(start, end)
    expected = io.BytesIO(data[start:end])
    assert part.size == end - start
    for _ in range(8):
        if draw.draw(st.booleans()):
            n = draw.draw(st.integers(-1, 70))
            assert part.read(n) == expected.read(n)
        else:
            offset = draw.draw(st.integers(0, 70))
            assert part.seek(offset) == expected.seek(offset)
    part.check()


@pytest.mark.skipif(not os.path.exists("/dev/fd"), reason="needs /dev/fd")  # noqa: PTH110
@pytest.mark.parametrize("kind", ["flac", "mp3"])
def test_a_descriptor_may_be_a_pipe(kind: str) -> None:
    data = encoded(kind, chord(1.0, 44_100), 44_100)
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        wave = decode(f"/dev/fd/{reading}")
    finally:
        os.close(reading)
        writer.join()
    np.testing.assert_array_equal(wave.samples, decode(data).samples)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("after", [0, 3])
def test_decoding_stops_when_the_caller_says_so(kind: str, after: int) -> None:
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > after

    data = encoded(kind, chord(4.0, 44_100), 44_100)
    with pytest.raises(AudioStoppedError, match="decoding it was stopped"):
        list(stream(data, should_stop=should_stop))
    asked = 0
    with pytest.raises(AudioStoppedError):
        decode_channels(data, should_stop=should_stop)
    assert list(stream(data, should_stop=lambda: False))
