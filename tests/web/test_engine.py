from __future__ import annotations

import json
import time

import pytest
from web.serving import music, wav

from genrescope.sandbox import JobTimeoutError
from genrescope.web.engine import Engine
from genrescope.web.uploads import Upload


def test_the_picture_can_be_left_out(engine: Engine, song: bytes) -> None:
    whole = json.loads(engine.classify(Upload("song", song)))
    bare = json.loads(engine.classify(Upload("song", song), spectrogram=False))
    assert "spectrogram" in whole
    assert bare == {key: value for key, value in whole.items() if key != "spectrogram"}


@pytest.mark.slow
def test_work_that_is_late_ends_and_the_next_is_answered(engine: Engine) -> None:
    engine.warm_up()
    song = Upload("song", wav(music(20)))  # no machine decodes so much in this time
    for work in (engine.classify, engine.polish):
        with pytest.raises(JobTimeoutError):
            work(song, deadline=time.monotonic() + 0.002)
        assert work(song)
