"""Containers are taken apart and written again as they were, checksums included."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from soak.kinds import KINDS, seed_file
from soak.mutate import mutant
from soak.structure import Part, parsed, written

from genrescope.audio import ffmpeg
from genrescope.audio.decode import decode

# EBML's sizes are written in eight bytes, so that its files grow.
SAME = ("wav16", "aiff", "caf", "flac", "ogg", "opus", "mp3", "aac", "m4a", "mp4-fragments", "avi")
STRUCTURED = (*SAME, "webm", "webm-browser", "mka-flac", "dff")


@pytest.mark.parametrize("kind", SAME)
def test_what_is_written_again_is_what_it_was(kind: str) -> None:
    parts = parsed(seed_file(kind))
    assert parts
    assert written(parts) == seed_file(kind)


@pytest.mark.parametrize("kind", STRUCTURED)
def test_it_sounds_as_before(kind: str) -> None:
    before = decode(seed_file(kind))
    after = decode(written(parsed(seed_file(kind))))
    np.testing.assert_array_equal(after.samples, before.samples)
    assert after.flags == ()


@pytest.mark.parametrize("kind", ["ogg", "flac"])
def test_a_part_that_was_changed_gets_its_checksum(kind: str) -> None:
    parts = parsed(seed_file(kind))
    last = parts[-1]
    i = len(last.body) // 2
    last.body = last.body[:i] + bytes([last.body[i] ^ 0x10]) + last.body[i + 1 :]
    kept, mended = written(parts, mend=False), written(parts)
    assert len(kept) == len(mended)
    assert 0 < sum(a != b for a, b in zip(kept, mended, strict=True)) <= 4
    assert not np.array_equal(decode(mended).samples, decode(seed_file(kind)).samples)


def test_a_size_may_be_a_lie() -> None:
    assert written([Part("box", b"free", b"abc", claim=99)]) == b"\0\0\0\x63freeabc"
    assert written([Part("little", b"data", b"abc")]) == b"data\3\0\0\0abc\0"


# FFmpeg never chooses them by itself, or has no name for them in any container that is admitted;
# or the format that would carry them needs an encoder that is not free.
NOT_REACHED = {
    *("aac_fixed", "ac3_fixed", "mp1float", "mp2float", "mp3", "libopus", "libopencore_amrnb"),
    *("libopencore_amrwb", "libilbc", "libspeex", "libvorbis", "aac_latm", "als", "atrac3plus"),
    *("cook", "dsd_lsbf", "dsd_msbf_planar", "dvaudio", "g726le", "mp3adu", "mp3adufloat"),
    *("mp3on4", "mp3on4float", "ralf", "real_288", "s302m", "pcm_bluray", "pcm_lxf"),
    *("pcm_f16le", "pcm_f24le", "pcm_f64be", "pcm_s16be_planar", "pcm_s16le_planar"),
    *("pcm_s24le_planar", "pcm_s32be", "pcm_s32le_planar", "pcm_s64be", "pcm_s64le"),
    *("pcm_u16be", "pcm_u16le", "pcm_u24be", "pcm_u24le", "pcm_u32be", "pcm_u32le"),
}


@pytest.mark.slow
def test_the_fuzzer_has_a_seed_for_every_demuxer_and_decoder() -> None:
    demuxers, decoders = set(), set()
    for kind in KINDS:
        data = seed_file(kind)
        with av.open(io.BytesIO(data), options={"format_whitelist": ffmpeg._DEMUXERS}) as container:
            demuxers.add(container.format.name.split(",")[0])
            decoders |= {s.codec_context.name for s in container.streams.audio if s.codec_context}
    assert demuxers == set(ffmpeg._DEMUXERS.split(","))
    assert set(ffmpeg._DECODERS.split(",")) - decoders <= NOT_REACHED


def test_mutants_of_every_kind_can_be_made_and_stay_small() -> None:
    made = [mutant(i, seed=5) for i in range(2 * len(KINDS))]
    assert {kind for kind, _ in made} == set(KINDS)
    assert max(len(data) for _, data in made) < 5_000_000
