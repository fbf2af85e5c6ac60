"""Samples from a process of its own are those of this one, and a bad file ends one answer."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from audio_makers import chord, encoded

from genrescope.audio import isolation
from genrescope.audio.confined import ConfinedDecoder
from genrescope.audio.decode import decode, decode_channels
from genrescope.audio.isolation import JobLimits
from genrescope.errors import AudioError, AudioTooLongError
from genrescope.sandbox_worker import Reply


@pytest.fixture(scope="module")
def decoder() -> Iterator[ConfinedDecoder]:
    with ConfinedDecoder() as running:
        yield running


def written(folder: Path, kind: str, *, seconds: float = 2.0, name: str = "a.sound") -> Path:
    path = folder / name
    path.write_bytes(encoded(kind, chord(seconds, 44_100, n_channels=2), 44_100))
    return path


@pytest.mark.parametrize("kind", ["wav16", "flac", "mp3", "ogg", "m4a", "wma"])
def test_the_same_to_the_last_bit(decoder: ConfinedDecoder, tmp_path: Path, kind: str) -> None:
    path = written(tmp_path, kind)
    for sr, duration in ((22_050, None), (None, None), (8_000, 0.5)):
        here = decode(path, sr=sr, duration=duration)
        there = decoder.decode(path, sr=sr, duration=duration)
        np.testing.assert_array_equal(there.samples, here.samples)
        assert (there.sr, there.flags) == (here.sr, here.flags)
    samples, rate = decode_channels(path)
    confined_samples, confined_rate = decoder.decode_channels(path, max_duration_s=60)
    np.testing.assert_array_equal(confined_samples, samples)
    assert (confined_rate, confined_samples.shape[1]) == (rate, 2)


def test_what_is_cut_is_flagged(decoder: ConfinedDecoder, tmp_path: Path) -> None:
    path = written(tmp_path, "wav16")
    path.write_bytes(path.read_bytes()[:-50_000])
    assert decoder.decode(path, sr=22_050).flags == ("truncated",)


def test_refusals_are_the_same_too(decoder: ConfinedDecoder, tmp_path: Path) -> None:
    path = written(tmp_path, "wav16")
    with pytest.raises(AudioTooLongError, match=r"a\.sound"):
        decoder.decode(path, sr=22_050, max_duration_s=1)
    with pytest.raises(AudioTooLongError):
        decoder.decode_channels(path, max_duration_s=1)
    path.write_bytes(b"no sound at all")
    with pytest.raises(AudioError, match=r"a\.sound: it is in no sound format"):
        decoder.decode(path, sr=22_050)
    with pytest.raises(AudioError, match="no such file"):
        decoder.decode(tmp_path / "gone", sr=22_050)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="dies by a POSIX signal")
@pytest.mark.usefixtures("crashing_soundfile")
def test_what_crashes_or_never_ends_costs_one_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ConfinedDecoder() as decoder:
        with pytest.raises(AudioError, match=r"crash\.wav: it crashed the decoder"):
            decoder.decode(written(tmp_path, "wav16", name="crash.wav"), sr=22_050)
        assert decoder.decode(written(tmp_path, "wav16"), sr=22_050).duration == 2
        monkeypatch.setattr(isolation, "FOLDER_LIMITS", JobLimits(seconds=0.5))
        with pytest.raises(AudioError, match=r"stuck\.wav: it took more than"):
            decoder.decode(written(tmp_path, "wav16", name="stuck.wav"), sr=22_050)


@pytest.mark.slow
def test_after_its_end_it_starts_anew(tmp_path: Path) -> None:
    decoder = ConfinedDecoder()
    for _ in range(2):
        with decoder:
            assert decoder.decode(written(tmp_path, "wav16"), sr=8_000).duration == 2
        assert decoder._sandbox is None


@pytest.mark.parametrize(
    "reply",
    [
        Reply({"sr": 22_050, "flags": []}),
        Reply({"sr": 22_050, "flags": []}, (np.zeros(0, np.float32),)),
        Reply({"sr": 22_050, "flags": []}, (np.zeros(4, np.float64),)),
        Reply({"sr": 22_050, "flags": []}, (np.zeros((4, 2), np.float32),)),
        Reply({"sr": 22_050, "flags": []}, (np.full(4, np.nan, np.float32),)),
        Reply({"sr": 8_000, "flags": []}, (np.zeros(4, np.float32),)),
        Reply({"sr": "22050", "flags": []}, (np.zeros(4, np.float32),)),
        Reply({"sr": 22_050, "flags": ["silent"]}, (np.zeros(4, np.float32),)),
        Reply({"sr": 22_050, "flags": None}, (np.zeros(4, np.float32),)),
        Reply({}, (np.zeros(4, np.float32),)),
    ],
)
def test_what_no_decoder_would_say_is_refused(reply: Reply, tmp_path: Path) -> None:
    class Lying:
        def run(self, *_: object, **__: object) -> Reply:
            return reply

    decoder = ConfinedDecoder()
    decoder._sandbox = Lying()  # type: ignore[assignment]
    path = tmp_path / "a.wav"
    path.write_bytes(b"")
    with pytest.raises(AudioError, match="answer nonsense"):
        decoder.decode(path, sr=22_050)
