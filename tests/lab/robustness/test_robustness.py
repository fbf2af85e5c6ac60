"""A suite of degradations measures what it says, of the same recordings throughout."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from genrescope.data.track import Track
from genrescope.errors import AudioError, GenrescopeError
from genrescope.lab import sounds
from genrescope.lab.robustness import degradations as degrade
from genrescope.lab.robustness.degradations import CLEAN, CODECS
from genrescope.lab.robustness.robustness import measure_robustness

SR = 22_050
Array = NDArray[Any]


@dataclass
class Said:
    clip_probs: Array
    flags: tuple[str, ...] = ()


@pytest.fixture
def tracks(tmp_path: Path) -> list[Track]:
    """Low and high tones, six of each."""
    made = []
    for i in range(12):
        genre = ("low", "high")[i % 2]
        x = sounds.tones(
            SR, SR, hz=np.array([(300.0, 6000.0)[i % 2] + i]), rng=np.random.default_rng(i)
        )
        path = tmp_path / f"{i}.flac"
        soundfile.write(path, x, SR)
        made.append(Track(f"t{i}", genre, path=path))
    return made


def hears_height(data: bytes) -> Said:
    x, sr = soundfile.read(io.BytesIO(data))
    hz = np.abs(np.fft.rfft(x)).argmax() * sr / len(x)
    return Said(
        np.array([0.8, 0.2] if hz > 3000 and x.std() > 0.02 else [0.3, 0.7]),
        ("loud",) * int(np.abs(x).max() > 0.5),
    )


@pytest.mark.slow
def test_the_suite_measures_drop_sink_and_flags(tracks: list[Track]) -> None:
    steps: list[tuple[int, int, str]] = []
    suite = partial(
        measure_robustness,
        tracks,
        ["high", "low"],
        hears_height,
        names=["lowpass 4 kHz", "clipping"],
    )
    clean, lowpass, clipped = suite(progress=lambda *step: steps.append(step)).rows
    assert (clean.name, clean.n, clean.accuracy.value, clean.drop) == (CLEAN, 12, 1.0, 0.0)
    assert clean.sink_share == clean.sink_truth == 0.5
    assert (lowpass.accuracy.value, lowpass.drop) == (0.5, 0.5)  # the high tones are gone
    assert (clean.turned, lowpass.turned, clipped.turned) == (0.0, 0.5, 0.0)
    assert (lowpass.sink, lowpass.sink_share, lowpass.sink_truth) == ("low", 1.0, 0.5)
    assert clipped.flagged["loud"] == 1.0
    assert clean.flagged.get("loud", 0.0) == 0.0
    assert steps[-1][:2] == (36, 36)
    assert suite().rows[2].to_dict() == clipped.to_dict()


@pytest.mark.slow
def test_a_sink_is_found(tracks: list[Track]) -> None:
    deaf = measure_robustness(
        tracks, ["high", "low"], lambda data: Said(np.array([0.9, 0.1])), names=["hall"]
    ).rows
    assert [row.accuracy.value for row in deaf] == [0.5, 0.5]
    assert (deaf[1].sink, deaf[1].sink_share, deaf[1].sink_truth) == ("high", 1.0, 0.5)


def test_codecs_are_sent_as_they_are(tracks: list[Track], monkeypatch: pytest.MonkeyPatch) -> None:
    heads = []

    def keep(data: bytes) -> Said:
        heads.append(data[:4])
        return Said(np.array([1.0, 0.0]))

    measure_robustness(tracks[:1], ["high", "low"], keep, names=["opus 24 kb/s", "stereo"])
    assert heads == [b"RIFF", b"OggS", b"RIFF"]
    monkeypatch.setitem(CODECS, "opus", ("ogg", "no_such_encoder", "flt", (48_000,), 24_000))
    with pytest.raises(GenrescopeError, match="no encoder"):
        degrade.encode(np.zeros(100, np.float32), SR, "opus")


@pytest.mark.slow
def test_what_cannot_be_heard_is_left_out_and_named(tracks: list[Track], tmp_path: Path) -> None:
    broken, silent = tmp_path / "broken.wav", tmp_path / "silent.wav"
    broken.write_bytes(b"no sound at all")
    soundfile.write(silent, np.zeros(SR), SR)
    odd = [Track("broken", "low", path=broken), Track("silent", "low", path=silent)]

    def says_silent(data: bytes) -> Said:
        peak = np.abs(soundfile.read(io.BytesIO(data))[0]).max()
        return replace(hears_height(data), flags=() if peak > 0 else ("silent",))

    arguments = (["high", "low"], says_silent)
    found = measure_robustness([odd[0], *tracks, odd[1]], *arguments, names=["clipping"])
    assert set(found.failed) == {"broken", "silent"}
    assert found.failed["silent"] == "silent"
    assert found.rows == measure_robustness(tracks, *arguments, names=["clipping"]).rows
    with pytest.raises(GenrescopeError, match="no clip could be classified"):
        measure_robustness(odd, *arguments)


@pytest.mark.slow
def test_a_recording_that_fails_half_way_is_in_no_row(tracks: list[Track]) -> None:
    asked = 0

    def fails_once(data: bytes) -> Said:
        nonlocal asked
        asked += 1
        if asked == 2:  # the first track, degraded
            raise AudioError("a file", "it is broken")
        return hears_height(data)

    found = measure_robustness(tracks, ["high", "low"], fails_once, names=["clipping"])
    assert found.failed == {"t0": "it is broken"}
    assert (
        found.rows
        == measure_robustness(tracks[1:], ["high", "low"], hears_height, names=["clipping"]).rows
    )


def test_tracks_of_other_genres_are_refused(tracks: list[Track]) -> None:
    with pytest.raises(GenrescopeError, match="t0"):
        measure_robustness(tracks, ["high"], hears_height)
    with pytest.raises(GenrescopeError, match="no tracks"):
        measure_robustness([], ["high"], hears_height)
