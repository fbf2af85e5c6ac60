"""Three places of a recording, by bytes: what is cut is what stands there, or nothing is cut."""

from __future__ import annotations

import io

import numpy as np
import pytest
from audio_makers import chord, encoded, id3_tag, recording
from odd_makers import apev2, free_format, id3v1

from genrescope.audio.decode import decode
from genrescope.audio.excerpt import N_PLACES, Excerpt, cut_excerpt, place_starts
from genrescope.audio.source import Input
from genrescope.audio.waveform import Waveform
from genrescope.errors import AudioError

SECONDS, WANTED_S, SR = 20.0, 6.0, 44_100


def _cut(data: bytes, seconds: float = WANTED_S) -> Excerpt | None:
    return cut_excerpt(Input(io.BytesIO(data), "song"), seconds)


def _made(kind: str) -> bytes:
    """Three chords one after another, so that each place sounds otherwise."""
    thirds = [chord(SECONDS / 3, SR, n_channels=2, seed=seed) for seed in range(N_PLACES)]
    return encoded(kind, np.concatenate(thirds), SR)


def _whole_and_places(kind: str) -> tuple[Waveform, Waveform]:
    """A recording, and the places that were cut out of it, decoded each."""
    data = _made(kind)
    excerpt = _cut(data)
    assert excerpt is not None
    assert excerpt.duration_s == pytest.approx(SECONDS, abs=1e-4)
    places = decode(excerpt.data, sr=None)
    assert places.flags == ()
    return decode(data, sr=None), places


@pytest.mark.parametrize("kind", ["wav16", "wav24", "wav-float", "wav-ext"])
def test_samples_of_wav_are_those_of_the_whole(kind: str) -> None:
    whole, places = _whole_and_places(kind)
    each = round(WANTED_S / N_PLACES * SR)
    expected = [whole.samples[a : a + each] for a in place_starts(len(whole.samples), each)]
    np.testing.assert_array_equal(places.samples, np.concatenate(expected))


@pytest.mark.parametrize("kind", ["flac", "flac24"])
def test_frames_of_flac_are_those_of_the_whole(kind: str) -> None:
    whole, places = _whole_and_places(kind)
    assert places.duration == pytest.approx(WANTED_S, abs=0.5)
    blocks = whole.samples[: len(whole.samples) // 4096 * 4096].reshape(-1, 4096)
    for block in places.samples.reshape(-1, 4096):
        assert (blocks == block).all(axis=1).any()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mp3", "mp3-bare", "mp2"])
def test_frames_of_mpeg_sound_as_in_the_whole(kind: str) -> None:
    excerpt = _cut(_made(kind))
    assert excerpt is not None
    assert excerpt.duration_s == pytest.approx(SECONDS, abs=0.1)
    places = decode(excerpt.data, sr=SR)
    assert places.flags == ()
    assert places.duration == pytest.approx(WANTED_S, abs=0.3)
    assert np.abs(places.samples).max() < 1.1  # no noise where a frame lacks those before it
    each = len(places.samples) // N_PLACES
    for i in range(N_PLACES):
        middle = places.samples[i * each + each // 4 : i * each + 3 * each // 4]
        powers = np.abs(np.fft.rfft(middle * np.hanning(len(middle)))) ** 2
        chords = [chord(len(middle) / SR, SR, seed=seed)[:, 0] for seed in range(N_PLACES)]
        alike = [powers @ np.abs(np.fft.rfft(c * np.hanning(len(c)))) ** 2 for c in chords]
        assert int(np.argmax(alike)) == i


@pytest.mark.slow
def test_what_stands_between_frames_of_layer_3_is_silent_and_short() -> None:
    data = recording("mp3", SECONDS)
    excerpt = _cut(data)
    assert excerpt is not None
    whole, places = decode(data, sr=SR), decode(excerpt.data, sr=SR)
    levels = [
        np.sqrt(np.mean(w.samples[: len(w.samples) // 1152 * 1152].reshape(-1, 1152) ** 2, axis=1))
        for w in (whole, places)
    ]
    quiet = levels[1] < 0.1 * np.median(levels[0])
    assert quiet.sum() <= 4 * N_PLACES


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mp3", "flac", "wav16"])
def test_tags_are_no_part_of_it(kind: str) -> None:
    data = recording(kind, SECONDS)
    tagged = id3_tag(bytes(200_000)) + data + apev2(bytes(90_000)) + id3v1()
    plain, found = _cut(data), _cut(tagged)
    assert found is not None
    assert plain is not None
    assert found.data == plain.data


@pytest.mark.parametrize("kind", ["wav16", "flac", "mp3"])
def test_a_short_recording_has_no_excerpt(kind: str) -> None:
    assert _cut(recording(kind, SECONDS), SECONDS + 1) is None


@pytest.mark.slow
def test_what_is_damaged_or_of_another_format_has_none() -> None:
    wav, flac, mp3 = (recording(kind, SECONDS) for kind in ("wav16", "flac", "mp3"))
    holes = [data[: len(data) // 2] + bytes(2**18) + data[len(data) // 2 :] for data in (mp3, flac)]
    bare = free_format(encoded("mp3-bare", chord(SECONDS, 48_000), 48_000))
    others = [recording(kind, SECONDS) for kind in ("ogg", "m4a", "aac", "wav-adpcm", "webm")]
    for data in (wav[:-1000], *holes, bare, *others, b"x", b"fLaC", b"RIFF\0\0\0\0WAVE"):
        assert _cut(data) is None


def test_what_cannot_be_read_says_so() -> None:
    class Broken(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise OSError(5, "the disk is broken")

    with pytest.raises(AudioError, match="the disk is broken"):
        cut_excerpt(Input(Broken(recording("wav16", SECONDS)), "song"), WANTED_S)
