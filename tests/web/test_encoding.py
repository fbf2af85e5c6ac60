"""A polished recording in each form of file."""

from __future__ import annotations

import pytest
from web.serving import music, wav

from genrescope.web.engine import Engine
from genrescope.web.uploads import Upload


def test_polishing_takes_each_form(engine: Engine) -> None:
    beginnings = {"wav": b"RIFF", "flac": b"fLaC", "opus": b"OggS"}
    for form, beginning in beginnings.items():
        polished = engine.polish(Upload("song", wav(music(2))), form)
        assert polished.data.startswith(beginning)
        assert polished.lufs_after == pytest.approx(-14, abs=1)
