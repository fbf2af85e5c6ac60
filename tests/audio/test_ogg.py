"""Chained Ogg is heard whole, whatever its links are."""

from __future__ import annotations

import io

import pytest
from audio_makers import chord, link
from odd_makers import muxed, without_end_of_stream

from genrescope.audio.decode import decode
from genrescope.audio.ogg import links
from genrescope.audio.source import Input


def test_a_chain_whose_last_or_middle_link_is_cut_is_flagged() -> None:
    first, second = link("ogg", 3.0, 44_100), link("ogg", 3.0, 44_100, 1, 1)
    for data in (first + second[: len(second) // 2], first[: len(first) * 2 // 3] + second):
        wave = decode(data)
        assert wave.flags == ("truncated",)
        assert wave.duration > 3.5


def test_streams_that_play_together_are_one_link() -> None:
    film = muxed(chord(2.0, 44_100), 44_100, "ogg", "flac", n_tracks=2)
    assert len(links(Input(io.BytesIO(film), "x"))) == 1
    assert len(links(Input(io.BytesIO(film + b"junk" * 20 + film), "x"))) == 2


@pytest.mark.parametrize("kind", ["ogg", "opus"])
def test_without_the_end_of_stream_bit_a_whole_last_page_is_whole(kind: str) -> None:
    data = without_end_of_stream(link(kind, 4.0, 48_000))
    assert decode(data).flags == ()
    assert decode(data).duration == pytest.approx(4.0, abs=0.1)
    for cut in (5, 300, len(data) // 3):
        assert decode(data[:-cut]).flags == ("truncated",)
    assert decode(data + bytes(50_000)).flags == ("truncated",)
