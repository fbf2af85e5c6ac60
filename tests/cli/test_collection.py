"""What the verbs of a collection share: words of a query, and songs a line each."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrescope.cli.collection import print_songs, query_of
from genrescope.library.songs import Song

SONG = Song(
    id=1, path="/music/a.flac", kind="file", links=1, audio=b"a", duration_s=60.0, codec="flac",
    error=None, artist="Ann", album_artist=None, album=None, title="One", genre="Polka", year=None,
    bpm=None, sound="jazz", genres=("jazz",), tempo=97.5, tempo_confidence=0.9, key="A minor",
    key_confidence=0.7, confidence=0.8, flags=("short",), probabilities=b"p",
)  # fmt: skip


@pytest.mark.slow
@given(st.lists(st.text(min_size=1), max_size=4))
def test_each_word_of_a_command_stays_one_term(words: list[str]) -> None:
    assert shlex.split(query_of(words)) == words


@pytest.mark.parametrize(
    ("song", "parts"),
    [
        (SONG, ["Polka", "jazz 80%", "/music/a.flac", "short"]),
        (replace(SONG, genre=None, sound=None, probabilities=None), ["-", "not judged"]),
        (replace(SONG, error="no sound"), ["failed"]),
    ],
)
def test_a_song_is_a_line(capsys: pytest.CaptureFixture[str], song: Song, parts: list[str]) -> None:
    print_songs([song], as_json=False)
    (line,) = capsys.readouterr().out.splitlines()
    for part in parts:
        assert part in line
    print_songs([song], as_json=True)
    assert json.loads(capsys.readouterr().out) == song.to_dict()
