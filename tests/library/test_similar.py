from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from library_makers import Collection

from genrescope.errors import LibraryError
from genrescope.library.similar import similar_songs
from genrescope.library.songs import by_path


def test_neighbours_are_similar(collection: Collection) -> None:
    assert set(collection.similar(30, n=4)) <= set(range(26, 35))


def test_an_artist_comes_twice_at_most_and_a_work_once(collection: Collection) -> None:
    found = collection.similar(10, n=20)
    assert len(found) == 20
    artists = Counter(10 if i in (11, 12) else i // 3 for i in found)
    assert max(artists.values()) <= 2
    assert not {11, 12} <= set(found)


def test_reasons_are_given(collection: Collection) -> None:
    song = by_path(collection.catalogue, collection.number, collection.paths[3])
    assert song is not None
    first = similar_songs(collection.catalogue, collection.number, collection.vectors, song, n=1)[0]
    assert "jazz, too" in first.reasons
    assert 0.9 < first.nearness <= 1.01


def test_a_song_without_a_judgement_is_named(collection: Collection) -> None:
    song = by_path(collection.catalogue, collection.number, collection.paths[0])
    assert song is not None
    with pytest.raises(LibraryError, match="nothing to compare it by"):
        similar_songs(
            collection.catalogue, collection.number, collection.vectors, replace(song, audio=b"x")
        )
