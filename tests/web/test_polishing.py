"""Polishing, in a process of its own."""

from __future__ import annotations

import pytest

from genrescope.errors import AudioError
from genrescope.web.engine import Engine
from genrescope.web.uploads import Upload


def test_what_cannot_be_polished_is_refused(engine: Engine) -> None:
    with pytest.raises(AudioError, match="song: it is in no sound format"):
        engine.polish(Upload("song", b"no sound at all"))
