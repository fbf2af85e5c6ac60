from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from web.serving import music, wav

from genrescope.errors import AudioError
from genrescope.sandbox import JobTimeoutError
from genrescope.web.engine import Engine
from genrescope.web.limits import Limits
from genrescope.web.uploads import Upload


@pytest.fixture(scope="module")
def engine(tiny_bundle: Path) -> Iterator[Engine]:
    running = Engine.load(tiny_bundle, limits=Limits(workers=1))
    running.start()
    yield running
    running.close()


def test_the_picture_can_be_left_out(engine: Engine, song: bytes) -> None:
    whole = json.loads(engine.classify(Upload("song", song)))
    bare = json.loads(engine.classify(Upload("song", song), spectrogram=False))
    assert "spectrogram" in whole
    assert bare == {key: value for key, value in whole.items() if key != "spectrogram"}


@pytest.mark.slow
def test_work_that_is_late_ends_and_the_next_is_answered(engine: Engine, song: bytes) -> None:
    engine.warm_up()
    for work in (engine.classify, engine.polish):
        with pytest.raises(JobTimeoutError):
            work(Upload("song", song), deadline=time.monotonic() + 0.002)
        assert work(Upload("song", song))


def test_what_cannot_be_polished_is_refused(engine: Engine) -> None:
    with pytest.raises(AudioError, match="song: it is in no sound format"):
        engine.polish(Upload("song", b"no sound at all"))


def test_polishing_takes_each_form(engine: Engine) -> None:
    beginnings = {"wav": b"RIFF", "flac": b"fLaC", "opus": b"OggS"}
    for form, beginning in beginnings.items():
        polished = engine.polish(Upload("song", wav(music(2))), form)
        assert polished.data.startswith(beginning)
        assert polished.lufs_after == pytest.approx(-14, abs=1)
