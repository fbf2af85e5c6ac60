"""A song's answer, or why it has none; what is no fault of the song is no answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from audio_makers import chord, encoded

from genrescope.errors import AudioError, FleetError
from genrescope.fleet import step as module
from genrescope.fleet.plan import Song
from genrescope.fleet.step import SongStep
from genrescope.model.bundle import Bundle
from genrescope.model.classifier import Classifier
from genrescope.sandbox import JobError, JobTimeoutError


class Decoders:
    """Decodes nothing, and raises what it is told to."""

    error: Exception

    def __init__(self, *_: object, **__: object) -> None:
        self.sandbox = SimpleNamespace(start=int, close=int, fences=tuple)

    def features(self, *_: object, **__: object) -> Any:
        raise self.error


@pytest.fixture
def failing(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> SongStep:
    """A step whose decoders fail; it starts no process."""
    monkeypatch.setattr(module, "IsolatedFeatures", Decoders)
    return SongStep(Bundle.load(tiny_bundle))


def _crash() -> AudioError:
    error = AudioError("a.wav", "decoding it ended the process")
    error.__cause__ = JobError("exit code -6")
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (JobTimeoutError("it took more than 60 seconds"), "timeout"),
        (AudioError("a.wav", "it is no audio file"), "unreadable"),
        (_crash(), "crashed"),
        (RuntimeError("KeyError: 7"), "internal"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_fails_in_decoding_is_an_answer_with_a_code(
    failing: SongStep,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    code: str,
) -> None:
    monkeypatch.setattr(Decoders, "error", error, raising=False)
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF")
    answer = failing(Song("song-7", str(path), None, None))
    assert (answer.id, answer.error_code, answer.genre) == ("song-7", code, None)
    assert answer.error


def test_a_song_that_is_gone_or_another_is_not_decoded(failing: SongStep, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF")
    gone = failing(Song("gone", str(tmp_path / "b.wav"), None, None))
    changed = failing(Song("changed", str(path), 5_000, None))
    assert (gone.error_code, changed.error_code) == ("missing", "changed")


def test_a_store_that_cannot_be_read_is_no_fault_of_the_song(failing: SongStep) -> None:
    with pytest.raises(FleetError, match="such a store cannot be read"):
        failing(Song("song-7", "quux://bucket/a.wav", None, None))


@pytest.fixture(scope="module")
def step(tiny_bundle: Path) -> Iterator[SongStep]:
    step = SongStep(Bundle.load(tiny_bundle))
    yield step
    step.close()


@pytest.mark.slow
def test_a_song_is_answered_for_as_by_the_classifier(
    step: SongStep, tiny_bundle: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(encoded("wav16", chord(4.0), 22_050))
    answer = step(Song("song-7", str(path), path.stat().st_size, None))
    prediction = Classifier.load(tiny_bundle, threads=1).classify(path)
    assert answer.error is None
    assert answer.genre == prediction.genre
    assert answer.probabilities is not None
    assert answer.probabilities.tolist() == prediction.clip_probs.astype("f2").tolist()
    path.write_bytes(b"no music at all")
    assert step(Song("song-8", str(path), None, None)).error_code == "unreadable"
