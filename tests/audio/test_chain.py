"""Chained files: every link is played, in order, and a damaged one is flagged."""

from __future__ import annotations

import numpy as np
import pytest
from audio_makers import aligned, link
from odd_makers import ogg_pages

from genrescope.audio.decode import decode, decode_channels, stream

CHAINS = {
    "same": [("ogg", 2.0, 44_100, 1), ("ogg", 3.0, 44_100, 1)],
    "rates": [("ogg", 2.0, 22_050, 1), ("ogg", 3.0, 44_100, 1), ("ogg", 1.0, 32_000, 1)],
    "channels": [("opus", 2.0, 48_000, 1), ("opus", 3.0, 48_000, 2)],
    "codecs": [("ogg", 2.0, 44_100, 2), ("opus", 2.0, 48_000, 1)],
}


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("turned", [False, True])
def test_every_link_is_heard(name: str, turned: bool) -> None:
    chain = [(*link_of, i) for i, link_of in enumerate(CHAINS[name])]
    chain = chain[::-1] if turned else chain
    parts = [link(*of) for of in chain]
    wave = decode(b"".join(parts))
    assert wave.flags == ()
    assert wave.duration == pytest.approx(sum(of[1] for of in chain), abs=0.05)
    start = 0.0
    for kind, seconds, sr, n_channels, seed in chain:
        piece = wave.samples[round(start * 22_050) : round((start + seconds) * 22_050)]
        alone = decode(link(kind, seconds, sr, n_channels, seed)).samples
        got, expected = aligned(piece, alone, 1_000)
        assert np.corrcoef(got, expected)[0, 1] > 0.99
        start += seconds


def test_a_chain_in_sections_blocks_and_for_loudspeakers() -> None:
    data = link("ogg", 2.0, 22_050, 1) + link("ogg", 3.0, 44_100, 2, 1)
    whole = decode(data)
    blocks = [block.samples for block in stream(data, block_s=0.7)]
    np.testing.assert_array_equal(np.concatenate(blocks), whole.samples)
    section = decode(data, start=1.5, duration=1.0)
    np.testing.assert_allclose(section.samples, whole.samples[33_075:55_125], atol=1e-5)
    channels, sr = decode_channels(data)
    assert (channels.shape[1], sr) == (2, 44_100)


@pytest.mark.parametrize("sr", [0xFFFF_FFFF, 900_000, 3])
def test_a_link_of_an_absurd_rate_is_passed(sr: int) -> None:
    bad = bytearray(link("ogg", 1.0, 44_100))
    at = bad.index(b"\x01vorbis") + 12
    bad[at : at + 4] = sr.to_bytes(4, "little")
    wave = decode(bytes(bad) + link("ogg", 2.0, 44_100), sr=None)
    assert wave.flags == ("truncated",)
    assert wave.sr == 44_100
    assert wave.duration == pytest.approx(2.0, abs=0.05)


def test_the_same_file_twice_is_twice_as_long() -> None:
    data = link("ogg", 2.0, 44_100)
    assert decode(data + data).duration == pytest.approx(4.0, abs=0.05)


def test_a_link_without_sound_is_passed_and_flagged() -> None:
    first, last = link("ogg", 2.0, 44_100), link("ogg", 2.0, 44_100, 1, 1)
    page = next(ogg_pages(first))
    wave = decode(first + bytes(page) + b"\0" * 40 + last)
    assert wave.flags == ("truncated",)
    assert wave.duration == pytest.approx(4.0, abs=0.05)
