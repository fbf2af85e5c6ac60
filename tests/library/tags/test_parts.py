"""Names of copies: each new, hidden, and taken for nothing else."""

from __future__ import annotations

import pytest

from genrescope.audio.decode import AUDIO_SUFFIXES
from genrescope.library.tags.parts import is_part, part_name


def test_each_copy_has_a_hidden_name_of_its_own_that_is_known_again() -> None:
    names = {part_name() for _ in range(100)}
    assert len(names) == 100
    assert all(is_part(name) and name.startswith(b".") for name in names)
    assert not {f".{name.rsplit(b'.', 1)[1].decode()}" for name in names} & set(AUDIO_SUFFIXES)


@pytest.mark.parametrize(
    "name",
    [
        b"song.mp3",
        b".genrescope-0123456789abcdef.part.mp3",
        b"my.genrescope-0123456789abcdef.part",
        b".genrescope-0123456789ABCDEF.part",
        b".genrescope-0123456789abcde.part",
        b".genrescope-0123456789abcdef.part\n",
    ],
)
def test_no_file_of_a_person_is_taken_for_a_copy(name: bytes) -> None:
    assert not is_part(name)
