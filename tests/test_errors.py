"""Errors in words a person can act on."""

from __future__ import annotations

import pytest

from genrescope.errors import (
    AudioError,
    AudioTooLongError,
    FleetError,
    GenrescopeError,
    LibraryError,
)


@pytest.mark.parametrize("kind", [AudioError, AudioTooLongError, FleetError, LibraryError])
def test_an_error_names_what_why_and_the_remedy(kind: type[AudioError]) -> None:
    error = kind("a.mp3", "it is empty", "Download it again.")
    assert str(error) == "a.mp3: it is empty. Download it again."
    assert (error.name, error.reason, error.remedy) == (
        "a.mp3",
        "it is empty",
        "Download it again.",
    )
    assert str(kind("a.mp3", "it is empty")) == "a.mp3: it is empty."
    assert isinstance(error, GenrescopeError)
